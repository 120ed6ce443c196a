//! What somebody should look at: each kind of trouble of a subscription, and the messages or groups that it concerns.

use std::collections::BTreeMap;

use strum::{IntoStaticStr, VariantNames};
use time::OffsetDateTime;

use super::{GroupReport, MessageReport, Report};
use crate::container_group::GroupName;
use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::{AttemptEnd, GroupOutcome, MessageOutcome};

/// A trouble's name is the name of the event that it is logged as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum TroubleKind {
    /// Messages whose attempts are used up.
    Parked,
    /// Messages that cannot be given a group.
    Invalid,
    /// A subscription that its breaker holds up.
    Held,
    /// Messages whose groups could not be created in an earlier pass.
    CreatesHeld,
    /// Messages that wait until Azure takes more.
    WaitingQuota,
    /// Messages for which passes have no time.
    WaitingDeadline,
    /// A subscription that could not be read to its end.
    Unread,
    /// A subscription from which no worker can be served.
    Unserved,
    /// Groups that Azure cannot start.
    StartFailing,
    /// Groups whose tags somebody has rewritten.
    Untagged,
    /// Groups that somebody else has deleted.
    Vanished,
    /// Groups whose states could not be read.
    GroupUnread,
    /// Groups that stay until their logs can be read.
    WaitingLogs,
    /// Groups that could not be deleted.
    DeleteFailed,
    /// Groups that stay until Azure takes more deletes.
    DeletesHeld,
}

/// One kind of trouble in one subscription, or outside of all.
#[derive(Debug)]
pub(in crate::pass) struct Trouble {
    pub(in crate::pass) kind: TroubleKind,
    pub(in crate::pass) subscription: Option<SubscriptionName>,
    /// What it concerns, at least one.
    pub(in crate::pass) items: Vec<Item>,
    /// How many it concerns.
    pub(in crate::pass) count: u64,
    /// How long those that wait for it have been waiting at the most.
    pub(in crate::pass) waiting_seconds: Option<i64>,
}

/// What a trouble concerns: a message, a group, or a whole subscription.
#[derive(Clone, Debug, Default)]
pub(in crate::pass) struct Item {
    pub(in crate::pass) message: Option<MessageAddress>,
    pub(in crate::pass) message_id: Option<String>,
    pub(in crate::pass) group: Option<GroupName>,
    pub(in crate::pass) attempt: Option<u32>,
    pub(in crate::pass) exit_code: Option<i64>,
    pub(in crate::pass) reason: Option<String>,
    pub(in crate::pass) since: Option<OffsetDateTime>,
    pub(in crate::pass) until: Option<OffsetDateTime>,
    /// How many messages there are in the subscription, if the service says so.
    pub(in crate::pass) backlog: Option<u64>,
}

/// Which trouble, and in which subscription.
type Key<'a> = (TroubleKind, Option<&'a SubscriptionName>);

impl TroubleKind {
    pub(in crate::pass) fn name(self) -> &'static str {
        self.into()
    }

    /// What it means, after the number of those that it concerns.
    pub(in crate::pass) fn sentence(self, count: u64) -> String {
        let (of, what) = match self {
            Self::Parked => {
                ("message", "gets no further container group: its attempts are used up, and it is left alone")
            }
            Self::Invalid => ("message", "gets no container group, as it is not valid"),
            Self::Held => ("message", "is held up, as containers of its subscription have failed one after the other"),
            Self::CreatesHeld => ("message", "waits for a container group that could not be created"),
            Self::WaitingQuota => ("message", "waits for Azure"),
            Self::WaitingDeadline => ("message", "had to wait, as the pass had no time left for it"),
            Self::Unread => ("subscription", "could not be read to its end"),
            Self::Unserved => ("subscription", "is not served; SKIP_SUBSCRIPTIONS leaves it out without this line"),
            Self::StartFailing => ("container group", "cannot be started"),
            Self::Untagged => {
                ("container group", "has tags that somebody has rewritten, so that it counts and is never deleted")
            }
            Self::Vanished => (
                "container group",
                "is gone, and this scaler has not deleted it, so that it counts as an attempt: a clean-up job, an Azure Policy, a \
                 person or another scaler with this prefix may have",
            ),
            Self::GroupUnread => ("container group", "could not be read, and counts as active"),
            Self::WaitingLogs => ("container group", "stays until its log can be read"),
            Self::DeleteFailed => ("container group", "was not deleted"),
            Self::DeletesHeld => ("container group", "stays until Azure takes more deletes"),
        };
        if count == 1 { format!("one {of} {what}") } else { format!("{count} {of}s, each of which {what}") }
    }
}

impl Report {
    /// What somebody should look at.
    pub(in crate::pass) fn troubles(&self) -> Vec<Trouble> {
        let mut found: BTreeMap<Key<'_>, Vec<Item>> = BTreeMap::new();
        let mut add = |kind, subscription, item| found.entry((kind, subscription)).or_default().push(item);
        for report in &self.messages {
            if let Some((kind, item)) = of_message(report) {
                // Azure's room is the same for all.
                let subscription = Some(&report.message.subscription).filter(|_| kind != TroubleKind::WaitingQuota);
                add(kind, subscription, item);
            }
        }
        for report in &self.groups {
            if let Some((kind, item)) = of_group(report) {
                add(kind, report.subscription.as_ref(), item);
            }
        }
        for name in &self.vanished_groups {
            add(TroubleKind::Vanished, None, Item { group: Some(name.clone()), ..Item::default() });
        }
        for subscription in &self.subscriptions {
            if let Some(error) = &subscription.error {
                let backlog = subscription.counts.map(|counts| counts.active_messages);
                let item = Item { reason: Some(error.clone()), backlog, ..Item::default() };
                add(TroubleKind::Unread, Some(&subscription.name), item);
            }
        }
        for unserved in &self.unserved_subscriptions {
            let backlog = unserved.counts.map(|counts| counts.active_messages);
            let item = Item { reason: Some(unserved.reason.clone()), backlog, ..Item::default() };
            add(TroubleKind::Unserved, Some(&unserved.name), item);
        }
        let trouble = |((kind, subscription), items): (Key<'_>, Vec<Item>)| Trouble {
            kind,
            subscription: subscription.cloned(),
            count: items.len() as u64,
            items,
            waiting_seconds: self.oldest_waiting_seconds(subscription).filter(|_| kind.makes_messages_wait()),
        };
        found.into_iter().map(trouble).collect()
    }
}

impl TroubleKind {
    fn makes_messages_wait(self) -> bool {
        matches!(
            self,
            Self::Held
                | Self::CreatesHeld
                | Self::WaitingQuota
                | Self::WaitingDeadline
                | Self::Unread
                | Self::StartFailing
        )
    }

    /// Whether it is one trouble however many messages it concerns, so that another message is no news.
    pub(in crate::pass) fn is_common(self) -> bool {
        matches!(self, Self::Held | Self::CreatesHeld | Self::WaitingQuota | Self::WaitingDeadline | Self::DeletesHeld)
    }
}

fn of_message(MessageReport { message, enqueued_at, outcome }: &MessageReport) -> Option<(TroubleKind, Item)> {
    let item = |reason: &Option<String>| Item {
        message: Some(message.clone()),
        message_id: message.message_id.as_ref().map(ToString::to_string),
        reason: reason.clone(),
        ..Item::default()
    };
    let because = |reason: &String| item(&Some(reason.clone()));
    Some(match outcome {
        MessageOutcome::Parked { attempts, group, end: AttemptEnd { exit_code, reason, since, .. } } => {
            let (attempt, group, exit_code, since) = (Some(*attempts), group.clone(), *exit_code, *since);
            (TroubleKind::Parked, Item { group, attempt, exit_code, since, ..item(reason) })
        }
        MessageOutcome::Invalid { reason } => (TroubleKind::Invalid, Item { since: *enqueued_at, ..because(reason) }),
        MessageOutcome::HeldByBreaker { until, failures } => {
            let last = failures.as_ref();
            let item = Item {
                group: last.and_then(|last| last.group.clone()),
                attempt: last.map(|last| last.attempt),
                exit_code: last.and_then(|last| last.exit_code),
                reason: last.and_then(|last| last.reason.clone()),
                since: last.map(|last| last.since),
                until: *until,
                ..Item::default()
            };
            (TroubleKind::Held, item)
        }
        MessageOutcome::CreateBackingOff { until, reason, .. } => {
            (TroubleKind::CreatesHeld, Item { until: Some(*until), ..because(reason) })
        }
        MessageOutcome::HeldByFailedCreates { reason } => (TroubleKind::CreatesHeld, because(reason)),
        MessageOutcome::WaitingQuota { reason } => (TroubleKind::WaitingQuota, because(reason)),
        MessageOutcome::WaitingDeadline => (TroubleKind::WaitingDeadline, item(&None)),
        _ => return None,
    })
}

fn of_group(GroupReport { name, message_id, outcome, .. }: &GroupReport) -> Option<(TroubleKind, Item)> {
    let item = Item { group: Some(name.clone()), message_id: message_id.clone(), ..Item::default() };
    let because = |reason: &String| Item { reason: Some(reason.clone()), ..item.clone() };
    Some(match outcome {
        GroupOutcome::StartFailing { attempt, reason, since } => {
            (TroubleKind::StartFailing, Item { attempt: Some(*attempt), since: *since, ..because(reason) })
        }
        GroupOutcome::Untagged => (TroubleKind::Untagged, item),
        GroupOutcome::Unread { reason } => (TroubleKind::GroupUnread, because(reason)),
        GroupOutcome::WaitingLogs { reason } => (TroubleKind::WaitingLogs, because(reason)),
        GroupOutcome::DeleteFailed { reason } => (TroubleKind::DeleteFailed, because(reason)),
        GroupOutcome::WaitingQuota { reason } => (TroubleKind::DeletesHeld, because(reason)),
        _ => return None,
    })
}
