//! `docs/assumptions.md`, which is made from the list.

use std::fs;
use std::path::Path;

use crate::assumption::Assumption;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/assumptions.md");

/// Whether the document is that of the list; it is written when that is asked for.
pub fn check(assumptions: &[Assumption], update: bool) -> bool {
    let document = document(assumptions);
    if update {
        fs::write(PATH, &document).expect("the document is written");
    }
    let is_current = fs::read_to_string(PATH).is_ok_and(|have| have == document);
    if !is_current {
        println!("docs/assumptions.md is not that of the list: UPDATE_ASSUMPTIONS=1 cargo test --test live");
    }
    is_current && all_are_there(assumptions)
}

/// What an assumption is said to rest on is there.
fn all_are_there(assumptions: &[Assumption]) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = assumptions.iter().flat_map(|assumption| assumption.rests_on);
    let missing: Vec<_> = all.filter(|path| !root.join(path).exists()).collect();
    if !missing.is_empty() {
        println!("assumptions rest on what is not there: {missing:?}");
    }
    missing.is_empty()
}

fn document(assumptions: &[Assumption]) -> String {
    let intro = "# Assumptions about Azure\n\n\
                 What the scaler and the local Azure take for true of Azure, each with its source, how sure it is, and what rests on it. \
                 This page\nis made from the list in `tests/live` (`UPDATE_ASSUMPTIONS=1 cargo test --test live`).\n\n\
                 `cargo test --test live` asks the local Azure. To ask a real account as well, at a cost that it prints first:\n\n\
                 \x20   export ACI_SCALER_LIVE_SUBSCRIPTION_ID=$(az account show --query id --output tsv)\n\
                 \x20   export ACI_SCALER_LIVE_LOCATION=westeurope\n\
                 \x20   export ACI_SCALER_LIVE_TOKEN=$(az account get-access-token --query accessToken --output tsv)\n\
                 \x20   cargo test --test live\n\n\
                 All that it makes there is in a resource group of its own, which goes in the end; what a run that was killed has left goes at\n\
                 the next one. *Recorded* is what recorded traffic of others shows, *documented* what Azure's documentation or contract says,\n\
                 *inferred* what follows from something else; of what is *open* nobody knows the answer, and the local Azure does one of\n\
                 what is possible.\n\n\
                 | Name | What is assumed | Answer | How sure | Source | What rests on it |\n|---|---|---|---|---|---|\n";
    let row = |it: &Assumption| {
        let rests_on: Vec<_> = it.rests_on.iter().map(|what| format!("`{what}`")).collect();
        format!(
            "| `{}` | {} | {} | {} | {} | {} |\n",
            it.name,
            it.statement,
            it.expected.replace('|', "\\|"),
            it.certainty.word(),
            it.source,
            rests_on.join(", ")
        )
    };
    intro.to_owned() + &assumptions.iter().map(row).collect::<String>()
}
