//! What groups of some subscriptions have instead of the general settings.
//!
//! If several entries match a subscription, the most specific one that has a key decides that key.

use std::cmp::Reverse;
use std::fmt;

use rust_decimal::Decimal;
use serde::Serialize;

use super::{GroupTemplate, MemoryGb};
use crate::message::SubscriptionName;

/// Entries for subscriptions, the most specific first.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<Override>);

/// What the groups of matching subscriptions have instead.
#[derive(Clone, Debug)]
pub struct Override {
    pub pattern: SubscriptionPattern,
    pub image: Option<String>,
    pub cpu: Option<Decimal>,
    pub cpu_multiplier: Option<Decimal>,
    pub max_cpu: Option<Decimal>,
    pub memory_multiplier: Option<Decimal>,
    pub min_memory: Option<MemoryGb>,
    pub max_memory: Option<MemoryGb>,
    /// The most active groups of each.
    pub max_instances: Option<u32>,
    /// The general template, with the entry's own merged over it.
    pub template: Option<GroupTemplate>,
}

/// A subscription's name, in which `*` stands for any characters. Like the names, it ignores case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SubscriptionPattern(String);

impl Overrides {
    pub fn new(mut entries: Vec<Override>) -> Self {
        entries.sort_by_cached_key(|entry| entry.pattern.specificity());
        Self(entries)
    }

    /// The entries for a subscription, the most specific first.
    pub fn of(&self, subscription: &SubscriptionName) -> impl DoubleEndedIterator<Item = &Override> {
        self.0.iter().filter(|entry| entry.pattern.matches(subscription))
    }

    /// The patterns that match none of these subscriptions.
    pub fn matching_nothing(&self, subscriptions: &[&SubscriptionName]) -> Vec<&SubscriptionPattern> {
        let patterns = self.0.iter().map(|entry| &entry.pattern);
        patterns.filter(|pattern| !subscriptions.iter().any(|name| pattern.matches(name))).collect()
    }
}

impl SubscriptionPattern {
    /// Accepts the characters of a subscription's name, and any number of `*`.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
        ((1..=50).contains(&text.len()) && text.chars().all(valid)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn matches(&self, subscription: &SubscriptionName) -> bool {
        matches(&self.0.to_lowercase(), &subscription.as_str().to_lowercase())
    }

    /// Sorts names before patterns, and patterns with more characters before those with fewer.
    fn specificity(&self) -> (bool, Reverse<usize>, String) {
        let text = self.0.to_lowercase();
        (text.contains('*'), Reverse(text.chars().filter(|c| *c != '*').count()), text)
    }
}

impl fmt::Display for SubscriptionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text matches a pattern.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let Some((middle, end)) = rest.rsplit_once('*') else { return text.ends_with(rest) };
    for part in middle.split('*') {
        let Some(found) = text.find(part) else { return false };
        text = &text[found + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in [("*", "a"), ("a*", "a"), ("*b", "AB"), ("a*c*e", "abcde"), ("a**b", "ab"), ("x", "X")] {
            assert!(SubscriptionPattern::parse(pattern).unwrap().matches(&name.into()), "{pattern} {name}");
        }
        for (pattern, name) in [("a*", "ba"), ("*b", "abc"), ("a*c*e", "ace-"), ("ab*ba", "aba"), ("a*b*b", "ab")] {
            assert!(!SubscriptionPattern::parse(pattern).unwrap().matches(&name.into()), "{pattern} {name}");
        }
        for wrong in ["", "a b", "a/b", &"a".repeat(51)] {
            assert_eq!(SubscriptionPattern::parse(wrong), None);
        }
    }

    #[test]
    fn a_name_says_more_than_a_pattern_and_a_long_pattern_more_than_a_short_one() {
        let mut patterns: Vec<_> =
            ["*", "601-*", "6*", "601-1gb", "*1gb-x"].map(|text| SubscriptionPattern::parse(text).unwrap()).into();
        patterns.sort_by_cached_key(SubscriptionPattern::specificity);
        assert_eq!(
            patterns.iter().map(SubscriptionPattern::as_str).collect::<Vec<_>>(),
            ["601-1gb", "*1gb-x", "601-*", "6*", "*"]
        );
    }
}
