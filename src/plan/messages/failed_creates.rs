//! Whether the creates of a subscription fail for a common reason.
//!
//! They do if and only if, since a group was last created for it, creates for [`DISTINCT_MESSAGES`] messages or more failed
//! with the same code, and not because of the messages themselves. Then each pass tries one.

use std::collections::BTreeMap;

use crate::message::SubscriptionName;
use crate::plan::facts::Facts;
use crate::plan::memory::FailureKind;

/// Azure may refuse two messages by chance; after three, it will most likely refuse the next one too.
pub(crate) const DISTINCT_MESSAGES: usize = 3;

/// The reason in Azure's words, if the subscription's creates fail for a common one.
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
