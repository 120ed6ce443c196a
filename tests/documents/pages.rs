//! The pages that people read, and their parts.

use std::path::{Path, PathBuf};

pub struct Page {
    /// Its path from the top.
    pub path: String,
    pub text: String,
}

/// All pages: the README, and those in `docs` and `.github`.
pub fn all() -> Vec<Page> {
    let mut pages = vec![page("README.md")];
    for folder in ["docs", ".github"] {
        for entry in std::fs::read_dir(top().join(folder)).expect("a folder of this repository") {
            let name = entry.expect("a folder of this repository").file_name();
            let name = name.to_str().expect("names here are UTF-8");
            if Path::new(name).extension().is_some_and(|extension| extension == "md") {
                pages.push(page(&format!("{folder}/{name}")));
            }
        }
    }
    assert!(pages.len() > 10, "{} pages", pages.len());
    pages
}

pub fn page(path: &str) -> Page {
    let text = std::fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.to_owned(), text }
}

pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

impl Page {
    /// The anchors of its headings, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let mut is_code = false;
        let mut anchors = Vec::<String>::new();
        for line in self.text.lines() {
            is_code ^= line.trim_start().starts_with("```");
            if !is_code && let Some(heading) = line.strip_prefix('#') {
                anchors.push(anchor(heading.trim_start_matches('#').trim()));
            }
        }
        anchors
    }

    /// The targets of its links, but for code.
    pub fn links(&self) -> Vec<&str> {
        let mut is_code = false;
        let mut links = Vec::new();
        for line in self.text.lines() {
            is_code ^= line.trim_start().starts_with("```");
            if is_code || line.starts_with("    ") {
                continue;
            }
            links.extend(line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)));
            for attribute in ["src=\"", "srcset=\""] {
                links.extend(line.split(attribute).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)));
            }
        }
        links
    }

    /// What is in its blocks of a language.
    pub fn blocks(&self, language: &str) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while lines.any(|line| line.trim_start() == format!("```{language}")) {
            blocks.push(lines.by_ref().take_while(|line| line.trim_start() != "```").collect::<Vec<_>>().join("\n"));
        }
        blocks
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for page in all() {
        let folder = Path::new(&page.path).parent().expect("pages are in a folder").to_owned();
        for link in page.links() {
            // Not those of other sites.
            if link.contains("://") {
                continue;
            }
            seen += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = top().join(&folder).join(file);
            let is_there = if file.is_empty() {
                page.anchors().iter().any(|anchor| anchor == heading)
            } else if heading.is_empty() {
                path.exists()
            } else {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                Page { path: file.to_owned(), text }.anchors().iter().any(|anchor| anchor == heading)
            };
            if !is_there {
                missing.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert!(seen > 50, "{seen} links");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_page_has_anchors_links_and_blocks() {
    let text = "# What `it` does?\n\nSee [this](a.md#b) and ![that](c.png).\n\n```sh\n# no heading\n[x](no)\n```\n\n    [code](no)\n";
    let page = Page { path: "x.md".to_owned(), text: text.to_owned() };
    assert_eq!(page.anchors(), ["what-it-does"]);
    assert_eq!(page.links(), ["a.md#b", "c.png"]);
    assert_eq!(page.blocks("sh"), ["# no heading\n[x](no)"]);
}
