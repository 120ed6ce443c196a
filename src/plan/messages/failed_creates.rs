//! Whether the creates of a subscription fail for a reason that they have in common.
//!
//! They do if and only if, since a group was last created for it, creates for [`DISTINCT_MESSAGES`] messages or more have
//! failed with the same code, and not for what the messages themselves are. Then one is tried in a pass.

use std::collections::BTreeMap;

use crate::message::SubscriptionName;
use crate::plan::facts::Facts;
use crate::plan::memory::FailureKind;

/// Two messages that Azure refuses may have that in common by chance; with three, the next one will be refused too.
pub(crate) const DISTINCT_MESSAGES: usize = 3;

/// What Azure says, if the subscription's creates fail for a common reason.
pub(super) fn common_reason<'a>(facts: &'a Facts<'_>, subscription: &SubscriptionName) -> Option<&'a str> {
    let last_success = facts.memory.created_at.get(subscription);
    let mut by_code: BTreeMap<&str, usize> = BTreeMap::new();
    let failures = facts.memory.create_failures.iter().filter(|(message, failure)| {
        message.subscription == *subscription
            && failure.cause.kind != FailureKind::AboutMessage
            && last_success.is_none_or(|success| failure.last > *success)
    });
    for (_, failure) in failures {
        let count = by_code.entry(&failure.cause.code).or_default();
        *count += 1;
        if *count >= DISTINCT_MESSAGES {
            return Some(&failure.cause.reason);
        }
    }
    None
}
