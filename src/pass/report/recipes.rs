//! Which overrides apply to the groups of a plan.

use std::collections::BTreeMap;

use super::MessageReport;
use crate::container_group::SubscriptionPattern;
use crate::plan::MessageOutcome;

/// A sentence for each set of entries of `ACI_SUBSCRIPTION_OVERRIDES` that apply to groups, if any do.
pub(super) fn sentences(messages: &[MessageReport]) -> Vec<String> {
    let mut recipes: BTreeMap<(&[SubscriptionPattern], &str), usize> = BTreeMap::new();
    for report in messages {
        if let MessageOutcome::ToBeCreated { overrides, image, .. } = &report.outcome {
            *recipes.entry((overrides, image)).or_default() += 1;
        }
    }
    if recipes.keys().all(|(overrides, _)| overrides.is_empty()) {
        return Vec::new();
    }
    let sentence = |((overrides, image), count): ((&[SubscriptionPattern], &str), usize)| {
        let names: Vec<_> = overrides.iter().map(SubscriptionPattern::as_str).collect();
        let by =
            if names.is_empty() { "no override".to_owned() } else { format!("the overrides of {}", names.join(", ")) };
        format!("{count} of the new container groups would be made by {by}, from {image}.")
    };
    recipes.into_iter().map(sentence).collect()
}
