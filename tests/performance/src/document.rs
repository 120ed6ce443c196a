//! Tables, as printed and as in `docs/performance.md`.

use std::path::PathBuf;

use crate::Result;

/// A table and the checks on it.
pub struct Section {
    name: &'static str,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    failures: Vec<String>,
    targets: Vec<Vec<String>>,
}

/// What is wrong, if a check fails.
pub struct Check(Option<String>);

impl Check {
    pub fn new(met: bool, failure: impl FnOnce() -> String) -> Self {
        Self((!met).then(failure))
    }
}

/// A row of the table of targets.
pub struct Target {
    /// What should be small.
    pub what: String,
    pub measured: f64,
    /// The most it may be.
    pub limit: f64,
    pub unit: &'static str,
    /// Digits after the point.
    pub digits: usize,
}

impl Target {
    fn is_met(&self) -> bool {
        self.measured <= self.limit
    }

    fn show(&self, value: f64) -> String {
        format!("{value:.*}{}{}", self.digits, if self.unit.is_empty() { "" } else { " " }, self.unit)
    }
}

impl Section {
    /// A table without rows. In the document it is between comments with its name.
    pub fn new(name: &'static str, header: &[&str]) -> Self {
        let header = header.iter().map(|&cell| cell.to_owned()).collect();
        Self { name, header, rows: Vec::new(), failures: Vec::new(), targets: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn check(&mut self, check: Check) {
        self.failures.extend(check.0);
    }

    /// Adds the target to the table of targets, and checks it.
    pub fn target(&mut self, target: &Target) {
        let (measured, limit) = (target.show(target.measured), format!("≤ {}", target.show(target.limit)));
        self.check(Check::new(target.is_met(), || format!("{}: {measured}, and the target is {limit}", target.what)));
        let met = if target.is_met() { "yes" } else { "no" };
        self.targets.push(vec![target.what.clone(), limit, measured, met.to_owned()]);
    }

    /// The table in Markdown. All columns but the first are aligned to the right.
    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule: Vec<String> =
            (0..self.header.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned()).collect();
        let rows = self.rows.iter().map(|row| line(row));
        [line(&self.header), line(&rule)].into_iter().chain(rows).collect()
    }
}

/// The table of the targets of all sections.
pub fn targets(sections: &[Section]) -> Section {
    let mut table = Section::new("targets", &["target", "limit", "measured", "met"]);
    sections.iter().flat_map(|section| &section.targets).for_each(|target| table.row(target.clone()));
    table
}

/// Prints all sections and what is wrong. Returns whether nothing is.
#[expect(clippy::print_stdout, reason = "it is the result")]
pub fn show(sections: &[Section]) -> bool {
    for section in sections {
        println!("\n{}", section.markdown());
    }
    let failures: Vec<_> = sections.iter().flat_map(|section| &section.failures).collect();
    for failure in &failures {
        println!("NOT MET: {failure}");
    }
    failures.is_empty()
}

/// Replaces each table in the document.
pub fn write(sections: &[Section]) -> Result<()> {
    let path = docs().join("performance.md");
    let mut text = std::fs::read_to_string(&path)?;
    for section in sections {
        let (begin, end) = (format!("<!-- {} -->\n", section.name), format!("<!-- /{} -->", section.name));
        let parts = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
        let (before, after) = parts.ok_or_else(|| format!("{} has no place for {}", path.display(), section.name))?;
        text = format!("{before}{begin}\n{}\n{end}{after}", section.markdown());
    }
    Ok(std::fs::write(path, text)?)
}

/// The folder of the documents.
pub fn docs() -> PathBuf {
    repository().join("docs")
}

/// The repository's top folder.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_not_met_is_in_the_table_and_among_what_is_wrong() {
        let mut section = Section::new("process", &[]);
        for measured in [9.96, 10.04] {
            let what = "idle".to_owned();
            section.target(&Target { what, measured, limit: 10.0, unit: "MiB", digits: 1 });
        }
        assert_eq!(section.failures, ["idle: 10.0 MiB, and the target is ≤ 10.0 MiB"]);
        let table = targets(&[section]).markdown();
        assert!(table.contains("| idle | ≤ 10.0 MiB | 10.0 MiB | yes |\n| idle | ≤ 10.0 MiB | 10.0 MiB | no |\n"));
    }

    #[test]
    fn the_document_has_a_place_for_every_table() {
        let text = std::fs::read_to_string(docs().join("performance.md")).unwrap();
        for name in ["passes", "day", "targets", "decision", "process", "growth", "footprint"] {
            let (begin, end) = (text.find(&format!("<!-- {name} -->\n")), text.find(&format!("<!-- /{name} -->")));
            assert!(begin.is_some() && begin < end, "{name}");
        }
    }
}
