//! Tables, as they are printed and as they stand in `docs/performance.md`.

use std::path::PathBuf;

use crate::Result;

/// A table and what was checked about it.
pub struct Section {
    name: &'static str,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    failures: Vec<String>,
}

/// Whether a target is met; if not, what is wrong.
pub struct Check(Option<String>);

impl Check {
    pub fn new(met: bool, failure: impl FnOnce() -> String) -> Self {
        Self((!met).then(failure))
    }
}

impl Section {
    /// A table without rows. In the document it stands between comments with its name.
    pub fn new(name: &'static str, header: &[&str]) -> Self {
        let header = header.iter().map(|&cell| cell.to_owned()).collect();
        Self { name, header, rows: Vec::new(), failures: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn check(&mut self, check: Check) {
        self.failures.extend(check.0);
    }

    /// The table in Markdown; what is not in the first column is aligned to the right.
    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule: Vec<String> =
            (0..self.header.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned()).collect();
        let rows = self.rows.iter().map(|row| line(row));
        [line(&self.header), line(&rule)].into_iter().chain(rows).collect()
    }
}

/// Prints all sections and what is wrong; whether nothing is.
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

/// Puts each table in its place.
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
