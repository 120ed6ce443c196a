//! What is wrong with how modules use one another.

use std::collections::{BTreeMap, BTreeSet};

/// One module uses another beside it.
#[derive(Clone, Debug)]
pub struct Arrow {
    pub from: Vec<String>,
    pub to: Vec<String>,
    /// Which path says so.
    pub example: String,
}

/// The paths that run backwards in a line of the modules below the crate's root.
pub fn wrong_order(arrows: &[Arrow], line: &[&str]) -> Vec<String> {
    let place = |module: &[String]| line.iter().position(|name| *name == module[0]);
    let is_forward =
        |arrow: &Arrow| matches!((place(&arrow.to), place(&arrow.from)), (Some(to), Some(from)) if to < from);
    let across = arrows.iter().filter(|arrow| arrow.from.len() == 1);
    across.filter(|arrow| !is_forward(arrow)).map(|arrow| arrow.example.clone()).collect()
}

/// The paths that are part of a cycle among the modules of a folder.
pub fn cycles(arrows: &[Arrow]) -> Vec<String> {
    let arrows: Vec<_> = arrows.iter().filter(|arrow| arrow.from.len() > 1).collect();
    let mut uses: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for arrow in &arrows {
        uses.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let is_back = |arrow: &Arrow| {
        let mut reached = BTreeSet::new();
        let mut next = vec![&arrow.to[..]];
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(uses.get(module).into_iter().flatten());
            }
        }
        reached.contains(&arrow.from[..])
    };
    arrows.iter().filter(|arrow| is_back(arrow)).map(|arrow| arrow.example.clone()).collect()
}
