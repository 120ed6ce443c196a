//! Messages that wait for a spare group rather than get one of their own.
//!
//! Workers take whichever message comes first, so a group may serve another message than the one that it was made for.
//! A *spare* is a group whose own message is gone while it is still active: it is at another message, or about to take
//! one, or was made in vain. Where a subscription has as many spares as messages without a group, one more group would
//! find nothing to do.
//!
//! * A group is a spare if and only if it is active, could be read, says in its tags for what size of file it was made,
//!   is known to have run for less than [`COUNTED_FOR`] if it runs, its message is known to be gone, and no other
//!   message of that id waits.
//! * Each spare stands for one message: the oldest that has no active group and needs no more memory than the spare
//!   has, as far as its tag tells. Messages that get no group for another reason count too: workers take them all the
//!   same.
//! * A message whose attempt is due waits for its spare for one back-off at the most, counted from when it was due: the
//!   spare may hang. A new message is due when it comes; one that does not say when it came does not wait.
//!
//! `docs/serving-order.md` compares this with other rules.

use time::{Duration, OffsetDateTime};

use super::attempts::backoff;
use super::census::{Census, Entry, State};
use super::presence::{Presence, Whereabouts};
use super::{Policy, Sifted, Skip};
use crate::container_group::{GroupName, MemoryGb};
use crate::message::PeekedMessage;

/// How long a group may have run to count. One that hangs would put off every message that comes, if each by a little
/// only. Jobs may be longer, but there is little left to save then: by that time the attempts at a message that a
/// worker has are as far apart as they ever get.
const COUNTED_FOR: Duration = Duration::HOUR;

/// The spares of a subscription that stand for no message yet.
pub(super) struct Spares<'a> {
    policy: &'a Policy,
    now: OffsetDateTime,
    /// Those with the least memory first.
    groups: Vec<(MemoryGb, &'a GroupName)>,
}

impl<'a> Spares<'a> {
    /// All of a subscription.
    pub(super) fn of(
        census: &'a Census,
        subscription: &str,
        whereabouts: &Whereabouts<'_>,
        policy: &'a Policy,
        now: OffsetDateTime,
    ) -> Self {
        let counts = |state| match state {
            State::Active { running_since: Some(since), .. } => now - since < COUNTED_FOR,
            State::Active { running, .. } => !running,
            State::Stuck { .. } | State::Overran { .. } | State::Ended { .. } => false,
        };
        // A message that is sent again makes do with the group of the one before it, which has not ended.
        let is_sent_again = |entry: &Entry| {
            let place = entry.subscription.as_deref().zip(entry.message_id.as_deref());
            place.is_some_and(|(subscription, id)| whereabouts.is_waiting(subscription, id))
        };
        let spares = census.of_subscription(subscription).filter(|entry| {
            entry.read
                && counts(entry.state)
                && matches!(whereabouts.message_of(entry), Presence::Gone { .. })
                && !is_sent_again(entry)
        });
        let mut groups: Vec<_> =
            spares.filter_map(|entry| Some((policy.memory_for(entry.file_size?), &entry.name))).collect();
        groups.sort_unstable();
        Self { policy, now, groups }
    }

    /// What becomes of a message, when this would without spares. Older messages come first.
    pub(super) fn consider(&mut self, message: &PeekedMessage, sifted: Sifted) -> Sifted {
        let has_worker_or_wants_none =
            matches!(sifted, Sifted::Skip(Skip::Running(_) | Skip::Deferred | Skip::Scheduled | Skip::Expired));
        if has_worker_or_wants_none {
            return sifted;
        }
        let Some(spare) = self.take(message) else { return sifted };
        match sifted {
            Sifted::New(candidate) => {
                let wait = backoff(self.policy.rules.spare_wait, candidate.failures);
                let until = candidate.due_since.saturating_add(wait);
                if self.now < until {
                    Sifted::Skip(Skip::WaitingForSpare { group: spare.clone(), until })
                } else {
                    Sifted::New(candidate)
                }
            }
            Sifted::Skip(skip) => Sifted::Skip(skip),
        }
    }

    /// Takes the smallest spare that has enough memory for a message. Of one that is invalid nobody knows what it needs.
    fn take(&mut self, message: &PeekedMessage) -> Option<&'a GroupName> {
        if self.groups.is_empty() {
            return None;
        }
        let needed = message.file_size_mb.as_ref().ok().map(|size| self.policy.memory_for(*size));
        let index = self.groups.partition_point(|(memory, _)| Some(*memory) < needed);
        (index < self.groups.len()).then(|| self.groups.remove(index).1)
    }
}
