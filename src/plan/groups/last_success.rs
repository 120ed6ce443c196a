//! The groups that prove that a subscription's workers can succeed.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::container_group::GroupName;
use crate::message::SubscriptionName;
use crate::plan::facts::{Facts, GroupState};
use crate::plan::messages::breaker::Breaker;

/// The newest success of each subscription that has failures.
pub(super) fn last_successes<'a>(facts: &'a Facts<'a>) -> HashMap<&'a SubscriptionName, &'a GroupName> {
    let mut newest: HashMap<&SubscriptionName, (OffsetDateTime, &GroupName)> = HashMap::new();
    for known in facts.groups.iter() {
        if let (Some(subscription), GroupState::Ended { success: true, at, .. }) = (&known.subscription, known.state) {
            let best = newest.entry(subscription).or_insert((at, known.name()));
            *best = (*best).max((at, known.name()));
        }
    }
    newest.retain(|subscription, _| Breaker::of(facts, subscription).has_failures());
    newest.into_iter().map(|(subscription, (_, group))| (subscription, group)).collect()
}
