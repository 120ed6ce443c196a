//! `docs/assumptions.md`, which is generated from the list.

use std::fs;
use std::path::Path;

use crate::assumption::Assumption;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/assumptions.md");

/// Whether the document matches the list. With `update`, it is written first.
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

/// Whether all files that assumptions rest on exist.
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
                 What the scaler and the local Azure assume about Azure: each assumption with its source, how certain it is, and what rests on\n\
                 it. This page is generated from the list in `tests/live` (`UPDATE_ASSUMPTIONS=1 cargo test --test live`).\n\n\
                 `cargo test --test live` checks the local Azure. To check a real account as well, at a cost that it prints first:\n\n\
                 \x20   export ACI_SCALER_LIVE_SUBSCRIPTION_ID=$(az account show --query id --output tsv)\n\
                 \x20   export ACI_SCALER_LIVE_LOCATION=westeurope\n\
                 \x20   export ACI_SCALER_LIVE_TOKEN=$(az account get-access-token --query accessToken --output tsv)\n\
                 \x20   cargo test --test live\n\n\
                 Everything that it creates there is in a resource group of its own, which it deletes at the end; the next run deletes what a\n\
                 killed run left. *Recorded* means that recorded traffic shows it, *documented* that Azure's documentation or contract says it,\n\
                 *inferred* that it follows from something else. The answer to an *open* question is unknown, and the local Azure does one of\n\
                 the possible things.\n\n\
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
