//! All modules of a crate, and which uses which.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Arrow;
use crate::paths::{self, Module};

pub struct Tree {
    pub arrows: Vec<Arrow>,
    /// Imports of all that a module has.
    pub globs: Vec<String>,
    modules: BTreeMap<Vec<String>, Module>,
}

impl Tree {
    /// Reads the files that belong to the crate, from `lib.rs` on, and `main.rs`; they are given by their paths in `src`.
    pub fn read(sources: &BTreeMap<String, String>) -> Self {
        let mut tree = Self { arrows: Vec::new(), globs: Vec::new(), modules: BTreeMap::new() };
        tree.read_file(sources, &[], "lib.rs", "");
        if sources.contains_key("main.rs") {
            tree.read_file(sources, &["main".to_owned()], "main.rs", "");
        }
        for module in tree.modules.values() {
            for path in &module.uses {
                if path.last().is_some_and(|last| last == "*") && tree.modules.contains_key(&path[..path.len() - 1]) {
                    tree.globs.push(format!("{} uses {}", module.name.join("::"), path.join("::")));
                }
                tree.arrows.extend(tree.arrow(&module.name, path));
            }
        }
        tree
    }

    /// The modules right below the root.
    pub fn top_modules(&self) -> Vec<&str> {
        let names = self.modules.keys().filter_map(|name| name.first());
        names.map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn read_file(&mut self, sources: &BTreeMap<String, String>, name: &[String], file: &str, folder: &str) {
        let text = sources.get(file).unwrap_or_else(|| panic!("there is no {file}"));
        for module in paths::modules(name, text) {
            for child in &module.children {
                let child_name = [&module.name[..], std::slice::from_ref(child)].concat();
                let below = format!("{folder}{child}/");
                let (flat, nested) = (format!("{folder}{child}.rs"), format!("{below}mod.rs"));
                let child_file = if sources.contains_key(&nested) { nested } else { flat };
                self.read_file(sources, &child_name, &child_file, &below);
            }
            self.modules.insert(module.name.clone(), module);
        }
    }

    /// What a path makes one module use of another: two that stand side by side, and hold the two ends of it.
    fn arrow(&self, from: &[String], path: &[String]) -> Option<Arrow> {
        let common = from.iter().zip(path).take_while(|(from, to)| from == to).count();
        // A path that is as long as that leads up to what `from` is in, and one that is longer than `from` down from it.
        let name = path.get(common).filter(|_| from.len() > common)?;
        if self.modules.contains_key(&path[..=common]) {
            return Some(Arrow {
                from: from[..=common].to_vec(),
                to: path[..=common].to_vec(),
                example: format!("{} uses {}", from.join("::"), path.join("::")),
            });
        }
        let folder = self.modules.get(&path[..common])?;
        let (_, target) = folder.imports.iter().find(|(imported, _)| imported == name)?;
        let is_relative = target.first().is_some_and(|first| folder.children.contains(first));
        let above: &[String] = if is_relative { &folder.name } else { &[] };
        self.arrow(from, &[above, target, &path[common + 1..]].concat())
    }
}
