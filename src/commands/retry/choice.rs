//! Which records to tag, and why the other messages that were asked for have none.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use time::OffsetDateTime;

use super::{AT_ONCE, Arguments};
use crate::azure::AzureServices;
use crate::container_group::{ContainerGroup, GroupName, Phase};
use crate::message::{MessageAddress, SubscriptionName};
use crate::pass::report::{MessageReport, Report};
use crate::plan::{GroupOutcome, MessageOutcome};
use crate::services::ContainerGroups as _;

/// The most messages with a note of their own.
const MAX_NAMED: usize = 20;

/// Without a record there is nothing to tag.
const NO_RECORD: &str = "it has no record of an attempt, so there is nothing to tag. If the app does not create its container group within \
                         a few passes, its process remembers attempts whose groups are gone: restart the app";

#[derive(Debug)]
pub(super) struct Choice {
    pub(super) records: Vec<Record>,
    /// A sentence for each message without a record to tag, or for several of them.
    pub(super) notes: Vec<String>,
    /// Whether every message that was asked for was found, and every group could be read.
    pub(super) is_complete: bool,
}

/// The record of the last attempt at a message.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) subscription: String,
    pub(super) message_id: String,
    pub(super) group: ContainerGroup,
}

impl Record {
    pub(super) fn ended_at(group: &ContainerGroup) -> Option<OffsetDateTime> {
        let Phase::Ended(ending) = group.phase() else { return None };
        ending.at
    }
}

impl Choice {
    pub(super) async fn of(
        services: &AzureServices,
        report: &Report,
        max_attempts: u32,
        arguments: &Arguments,
    ) -> Self {
        let wanted = Wanted::by(arguments);
        let names = wanted.groups(report);
        let looks = names.into_iter().map(|(name, of)| async move { (services.groups.get(&name).await, name, of) });
        let looks: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        let mut choice = Self { records: Vec::new(), notes: Vec::new(), is_complete: true };
        let mut newest: BTreeMap<(String, String, Option<i64>), ContainerGroup> = BTreeMap::new();
        for (look, name, (subscription, message_id)) in looks {
            match look {
                Ok(Some(group)) => {
                    let key = (subscription, message_id, group.sequence_number());
                    if newest.get(&key).is_none_or(|have| have.attempt_in_name() < group.attempt_in_name()) {
                        newest.insert(key, group);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    choice.is_complete = false;
                    choice.notes.push(format!("{name} could not be read: {error}."));
                }
            }
        }
        let mut settled = BTreeSet::new();
        for ((subscription, message_id, _), group) in newest {
            if !matches!(group.phase(), Phase::Ended(_)) || arguments.parked && group.attempt() < max_attempts {
                continue;
            }
            settled.insert((subscription.to_lowercase(), message_id.clone()));
            if group.is_retried() {
                choice.notes.push(format!(
                    "{message_id} of {subscription}: {} is already tagged. If the app does not try its message again within a few \
                     passes, its process remembers later attempts: restart the app.",
                    group.name
                ));
            } else {
                choice.records.push(Record { subscription, message_id, group });
            }
        }
        choice.note_the_others(report, &wanted, &settled, arguments);
        choice
    }

    /// Notes why there is nothing to do for the other messages that were asked for.
    fn note_the_others(
        &mut self,
        report: &Report,
        wanted: &Wanted,
        settled: &BTreeSet<(String, String)>,
        arguments: &Arguments,
    ) {
        let place = |message: &MessageAddress| {
            let id = message.message_id.as_ref().map(ToString::to_string).unwrap_or_default();
            (message.subscription.as_str().to_lowercase(), id)
        };
        let others: Vec<_> = report
            .messages
            .iter()
            .filter(|of| wanted.has_message(&of.message) && !settled.contains(&place(&of.message)))
            .filter(|of| !arguments.parked || matches!(of.outcome, MessageOutcome::Parked { .. }))
            .collect();
        for of in others.iter().take(MAX_NAMED) {
            self.notes.push(note(of));
        }
        if others.len() > MAX_NAMED {
            let rest = others.len() - MAX_NAMED;
            self.notes
                .push(format!("{rest} others have no record to tag either: `aci-scaler plan` says why for each."));
        }
        for id in &wanted.ids {
            let is_it = |found: &str| found == id;
            let is_read =
                report.messages.iter().any(|of| of.message.message_id.as_ref().is_some_and(|id| is_it(id.as_str())));
            if !is_read && !settled.iter().any(|(_, found)| is_it(found)) {
                self.is_complete = false;
                self.notes.push(format!(
                    "{id}: it has no record, and is not among the messages that a pass reads (`aci-scaler explain {id}`)."
                ));
            }
        }
        if self.records.is_empty() && self.notes.is_empty() {
            self.notes.push("There is nothing to retry.".to_owned());
        }
    }
}

/// Why there is nothing to do for a message.
fn note(of: &MessageReport) -> String {
    let MessageAddress { subscription, sequence_number, message_id } = &of.message;
    let id = message_id.as_ref().map_or_else(|| format!("#{sequence_number}"), ToString::to_string);
    let why = match &of.outcome {
        MessageOutcome::Running { group, .. } => format!("nothing to do: {group} is starting or at work"),
        MessageOutcome::HeldByBreaker { .. } => format!(
            "it has no record of an attempt: its subscription is held up because other messages failed. `aci-scaler retry \
             --subscription {subscription}` restarts their counts, and the whole subscription goes on"
        ),
        MessageOutcome::ToBeCreated { .. }
        | MessageOutcome::WaitingCapacity
        | MessageOutcome::BackingOff { group: None, .. }
        | MessageOutcome::Parked { group: None, .. } => NO_RECORD.to_owned(),
        outcome => {
            let name: &'static str = outcome.into();
            format!("nothing to do: it is {}", name.replace('_', " "))
        }
    };
    format!("{id} of {subscription}: {why}.")
}

/// Which messages were asked for.
struct Wanted {
    ids: Vec<String>,
    subscriptions: Vec<SubscriptionName>,
}

impl Wanted {
    fn by(arguments: &Arguments) -> Self {
        let subscriptions = arguments.subscription.iter().map(SubscriptionName::new).collect();
        Self { ids: arguments.message.clone(), subscriptions }
    }

    fn has(&self, subscription: Option<&SubscriptionName>, id: Option<&str>) -> bool {
        let is_in = self.subscriptions.is_empty() || subscription.is_some_and(|name| self.subscriptions.contains(name));
        is_in && (self.ids.is_empty() || id.is_some_and(|id| self.ids.iter().any(|wanted| wanted == id)))
    }

    fn has_message(&self, message: &MessageAddress) -> bool {
        self.has(Some(&message.subscription), message.message_id.as_ref().map(crate::message::MessageId::as_str))
    }

    /// The groups that may be records of them, with the subscription and the id of the message of each.
    fn groups(&self, report: &Report) -> BTreeMap<GroupName, (String, String)> {
        let is_record = |outcome: &GroupOutcome| {
            matches!(
                outcome,
                GroupOutcome::Record { .. }
                    | GroupOutcome::Kept
                    | GroupOutcome::MessageUnknown
                    | GroupOutcome::SubscriptionUnread
            )
        };
        let by_tags = report.groups.iter().filter(|of| is_record(&of.outcome));
        let by_tags = by_tags.filter(|of| self.has(of.subscription.as_ref(), of.message_id.as_deref())).map(|of| {
            let subscription = of.subscription.as_ref().map(ToString::to_string).unwrap_or_default();
            (of.name.clone(), (subscription, of.message_id.clone().unwrap_or_default()))
        });
        // If the tags of a group were rewritten, only its message's outcome names it.
        let by_message = report.messages.iter().filter(|of| self.has_message(&of.message)).filter_map(|of| {
            let (MessageOutcome::BackingOff { group, .. } | MessageOutcome::Parked { group, .. }) = &of.outcome else {
                return None;
            };
            let MessageAddress { subscription, message_id, .. } = &of.message;
            Some((group.clone()?, (subscription.to_string(), message_id.as_ref()?.to_string())))
        });
        by_tags.chain(by_message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_given_has_to_fit_and_names_of_subscriptions_have_no_case() {
        let wanted = |ids: &[&str], subscriptions: &[&str]| Wanted {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            subscriptions: subscriptions.iter().map(|name| (*name).into()).collect(),
        };
        assert!(wanted(&["m1", "m2"], &[]).has(Some(&"a".into()), Some("m2")));
        assert!(!wanted(&["m1"], &[]).has(Some(&"a".into()), Some("M1")), "ids have case");
        assert!(wanted(&[], &["SMALL"]).has(Some(&"small".into()), None));
        assert!(!wanted(&["m1"], &["small"]).has(Some(&"large".into()), Some("m1")));
        assert!(!wanted(&["m1"], &["small"]).has(Some(&"small".into()), Some("m2")));
        assert!(wanted(&[], &[]).has(None, None), "all that are parked");
    }
}
