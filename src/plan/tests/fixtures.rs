//! What scenarios of the planner are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::Duration;

use super::*;
use crate::container_group::{Container, ContainerState, Ownership};
use crate::message::{FileSizeMb, MessageState};
use crate::settings::Settings;
use crate::test_support::{NOW, settings};

pub(super) fn policy(max_instances: u32) -> Policy {
    let mut settings = settings();
    settings.aci.max_instances = max_instances;
    Policy::new(&settings)
}

pub(super) fn message(sequence_number: i64, id: &str) -> PeekedMessage {
    PeekedMessage {
        sequence_number,
        message_id: MessageId::new(id),
        file_size_mb: FileSizeMb::from_text("128"),
        state: MessageState::Active,
        enqueued_at: None,
        expires_at: None,
    }
}

pub(super) fn messages(ids: std::ops::RangeInclusive<i64>) -> Vec<PeekedMessage> {
    ids.map(|id| message(id, &format!("m{id}"))).collect()
}

pub(super) fn subscription(name: &str, messages: Vec<PeekedMessage>) -> ObservedSubscription {
    ObservedSubscription {
        name: name.into(),
        counts: None,
        messages,
        read: Read::ToTheEnd,
        covered_to: i64::MAX,
        absent: BTreeSet::new(),
    }
}

pub(super) fn group(name: &str, tags: &[(&str, &str)], state: &str) -> ObservedGroup {
    let tags: BTreeMap<_, _> = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let state = ContainerState { state: state.to_owned(), ..ContainerState::default() };
    let group = ContainerGroup {
        name: GroupName::parse(name).unwrap(),
        tags,
        provisioning_state: "Succeeded".to_owned(),
        containers: vec![Container { name: "worker".to_owned(), state: Some(state), events: Vec::new(), memory: None }],
        size: None,
        init_containers: Vec::new(),
        ownership: Ownership::Tagged,
    };
    ObservedGroup { group: Arc::new(group), look: Look::Done }
}

impl ObservedGroup {
    pub(super) fn group_mut(&mut self) -> &mut ContainerGroup {
        Arc::make_mut(&mut self.group)
    }

    pub(super) fn tags_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.group_mut().tags
    }
}

pub(super) fn invalid(reason: &InvalidMessage) -> MessageOutcome {
    MessageOutcome::Invalid { reason: reason.to_string() }
}

pub(super) fn group_of(subscription: &str, id: &str, state: &str) -> ObservedGroup {
    group(&format!("{subscription}-{id}"), &[("subscription_name", subscription), ("message_id", id)], state)
}

pub(super) fn planned(
    max_instances: u32,
    groups: Vec<ObservedGroup>,
    subscriptions: Vec<ObservedSubscription>,
) -> Plan {
    planned_by(&policy(max_instances), &Memory::default(), NOW, groups, subscriptions)
}

/// A plan under a policy, after what earlier passes have seen.
pub(super) fn planned_by(
    policy: &Policy,
    memory: &Memory,
    now: OffsetDateTime,
    groups: Vec<ObservedGroup>,
    subscriptions: Vec<ObservedSubscription>,
) -> Plan {
    let skipped_subscriptions = vec!["skipped".into()];
    let unserved_subscriptions = Vec::new();
    let snapshot =
        Snapshot { groups, subscriptions, skipped_subscriptions, unserved_subscriptions, time_is_doubtful: false };
    let plan = plan(&snapshot, memory, policy, now);
    assert_complete(&snapshot, &plan);
    plan
}

/// A policy under changed settings.
pub(super) fn policy_with(change: impl FnOnce(&mut Settings)) -> Policy {
    let mut settings = settings();
    change(&mut settings);
    Policy::new(&settings)
}

/// The group of an attempt at a message with this sequence number and the id `m{number}`, in a subscription.
pub(super) fn attempt(subscription: &str, number: i64, attempt: u32, state: ContainerState) -> ObservedGroup {
    let (id, sequence_number, attempt) = (format!("m{number}"), number.to_string(), attempt.to_string());
    let tags = [
        ("subscription_name", subscription),
        ("message_id", &id),
        ("sequence_number", &sequence_number),
        ("attempt", &attempt),
    ];
    let mut observed = group(&format!("{subscription}-{id}-{attempt}"), &tags, "");
    observed.group_mut().containers[0].state = Some(state);
    observed
}

/// A container that ended this many seconds after [`NOW`], after a second's run.
pub(super) fn exited(code: i64, at: i64) -> ContainerState {
    ContainerState {
        state: "Terminated".to_owned(),
        exit_code: Some(code),
        started_at: Some(NOW + Duration::seconds(at - 1)),
        finished_at: Some(NOW + Duration::seconds(at)),
        detail_status: None,
    }
}

/// A container that has been running since this many seconds after [`NOW`].
pub(super) fn running(since: i64) -> ContainerState {
    let started_at = Some(NOW + Duration::seconds(since));
    ContainerState { state: "Running".to_owned(), started_at, ..ContainerState::default() }
}

/// A container that waits.
pub(super) fn waiting() -> ContainerState {
    ContainerState { state: "Waiting".to_owned(), ..ContainerState::default() }
}

/// This many seconds after [`NOW`].
pub(super) fn at(seconds: i64) -> OffsetDateTime {
    NOW + Duration::seconds(seconds)
}

/// A subscription that was read up to a sequence number, with what was looked up in vain.
pub(super) fn read_to(
    name: &str,
    messages: Vec<PeekedMessage>,
    covered_to: i64,
    absent: &[i64],
) -> ObservedSubscription {
    ObservedSubscription {
        read: Read::FarEnough,
        covered_to,
        absent: absent.iter().copied().collect(),
        ..subscription(name, messages)
    }
}

/// Which attempts the groups to be created are.
pub(super) fn attempts_created(plan: &Plan) -> Vec<u32> {
    plan.creates.iter().map(|create| create.spec.tags["attempt"].parse().unwrap()).collect()
}

/// Why each group goes.
pub(super) fn reasons(plan: &Plan) -> Vec<(&str, DeleteReason)> {
    plan.deletes.iter().map(|delete| (delete.group.name.as_str(), delete.reason)).collect()
}

/// Every message and every group is in a plan exactly once.
pub(super) fn assert_complete(snapshot: &Snapshot, plan: &Plan) {
    let mut planned: Vec<_> = plan
        .creates
        .iter()
        .chain(&plan.reserves)
        .map(|create| &create.message)
        .chain(plan.messages.iter().map(|(message, _)| message))
        .collect();
    let mut observed = Vec::new();
    for subscription in &snapshot.subscriptions {
        observed.extend(subscription.messages.iter().map(|message| subscription.address_of(message)));
    }
    planned.sort();
    observed.sort();
    assert_eq!(planned, observed.iter().collect::<Vec<_>>());

    let mut planned: Vec<_> =
        plan.deletes.iter().map(|delete| &delete.group.name).chain(plan.groups.iter().map(|(name, _)| name)).collect();
    let mut observed: Vec<_> = snapshot.groups.iter().map(|group| &group.group.name).collect();
    planned.sort();
    observed.sort();
    assert_eq!(planned, observed);
}

/// The messages that get a group, in order, as `subscription/id`.
pub(super) fn created(plan: &Plan) -> Vec<String> {
    let name =
        |create: &Create| format!("{}/{}", create.message.subscription, create.message.message_id.as_ref().unwrap());
    plan.creates.iter().map(name).collect()
}

/// What became of the only message that gets no group.
pub(super) fn outcome(plan: &Plan) -> &MessageOutcome {
    assert_eq!(plan.creates.len(), 0);
    assert_eq!(plan.messages.len(), 1);
    &plan.messages[0].1
}

pub(super) fn deleted(plan: &Plan) -> Vec<&str> {
    plan.deletes.iter().map(|delete| delete.group.name.as_str()).collect()
}
