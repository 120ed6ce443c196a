//! The container groups there are, and which messages they were created for.

use std::collections::HashMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::state::{GroupState, fails_at};
use crate::container_group::{ContainerGroup, GroupName, Ownership, Recipe, tag};
use crate::message::{MessageAddress, MessageId, SubscriptionName};
use crate::plan::capacity::Capacity;
use crate::plan::memory::{Attempt, Condition, Memory};
use crate::plan::policy::Policy;
use crate::plan::snapshot::{Look, ObservedGroup};

/// As long as the host lets a pass take, which is more than clocks are wrong by.
const LONGEST_PASS: Duration = Duration::minutes(5);

/// The groups there are, by message and by subscription.
#[derive(Debug)]
pub(in crate::plan) struct KnownGroups {
    all: Vec<KnownGroup>,
    by_message_id: HashMap<MessageId, Vec<usize>>,
    /// Groups whose tags are not ours, by what their names have in common with those of their messages' other attempts.
    untagged: HashMap<String, Vec<usize>>,
    active_by_subscription: HashMap<SubscriptionName, u32>,
    capacity: Capacity,
}

#[derive(Debug)]
pub(in crate::plan) struct KnownGroup {
    pub(in crate::plan) group: Arc<ContainerGroup>,
    pub(in crate::plan) look: Look,
    pub(in crate::plan) ownership: Ownership,
    /// Whether its tags are surely as we set them, so that a subscription that they name and no list shows is gone.
    pub(in crate::plan) has_its_own_tags: bool,
    /// Groups of the Python scaler do not name it.
    pub(in crate::plan) subscription: Option<SubscriptionName>,
    pub(in crate::plan) message_id: Option<MessageId>,
    pub(in crate::plan) sequence_number: Option<i64>,
    /// The number in its name, which no retry starts again.
    pub(in crate::plan) attempt: u32,
    /// How many of these attempts came before the count was last started again.
    pub(in crate::plan) attempts_before: u32,
    /// Since when Azure may have been billing it although it has ended, as its tag says.
    pub(in crate::plan) billed_on_since: Option<OffsetDateTime>,
    /// Whether it may get stuck or overrun before a pass that begins now has ended.
    may_fail_soon: bool,
    pub(in crate::plan) state: GroupState,
}

impl KnownGroups {
    /// One whose containers could not be read counts as active.
    pub(super) fn of(observed: &[ObservedGroup], memory: &Memory, policy: &Policy, now: OffsetDateTime) -> Self {
        let mut groups = Self {
            all: Vec::with_capacity(observed.len()),
            by_message_id: HashMap::new(),
            untagged: HashMap::new(),
            active_by_subscription: HashMap::new(),
            capacity: Capacity { max: policy.rules.max_instances, active: 0 },
        };
        for observed in observed {
            let known = KnownGroup::of(observed, memory, policy, now);
            groups.add(known, &policy.recipe);
        }
        groups
    }

    fn add(&mut self, known: KnownGroup, recipe: &Recipe) {
        if known.state.is_active() {
            self.capacity.active += 1;
            if let Some(subscription) = &known.subscription {
                *self.active_by_subscription.entry(subscription.clone()).or_default() += 1;
            }
        }
        if let Some(message_id) = &known.message_id {
            self.by_message_id.entry(message_id.clone()).or_default().push(self.all.len());
        }
        if known.ownership == Ownership::Untagged
            && let Some((stem, _)) = recipe.name_prefix.stem_and_attempt(known.name())
        {
            self.untagged.entry(stem.to_owned()).or_default().push(self.all.len());
        }
        self.all.push(known);
    }

    /// Groups that are active stay so, however long they have been.
    pub(super) fn distrust_ages(&mut self) {
        for known in &mut self.all {
            known.state = match known.state {
                GroupState::Stuck { .. } => GroupState::Active { running_since: None, running: false },
                GroupState::Overran { since } => GroupState::Active { running_since: Some(since), running: true },
                state => state,
            };
        }
    }

    pub(in crate::plan) fn iter(&self) -> impl Iterator<Item = &KnownGroup> {
        self.all.iter()
    }

    pub(in crate::plan) fn capacity(&self) -> Capacity {
        self.capacity
    }

    pub(in crate::plan) fn active_in(&self, subscription: &SubscriptionName) -> u32 {
        self.active_by_subscription.get(subscription).copied().unwrap_or_default()
    }

    pub(in crate::plan) fn in_subscription(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Iterator<Item = &KnownGroup> {
        self.all.iter().filter(move |known| known.subscription.as_ref() == Some(subscription))
    }

    /// Those for messages of an id, in a subscription or, where a group or the caller names none, in any.
    pub(in crate::plan) fn of_message(
        &self,
        subscription: Option<&SubscriptionName>,
        id: &MessageId,
    ) -> impl Iterator<Item = &KnownGroup> {
        let indices = self.by_message_id.get(id).map(Vec::as_slice).unwrap_or_default();
        indices.iter().map(|index| &self.all[*index]).filter(move |known| match (&known.subscription, subscription) {
            (Some(of), Some(subscription)) => of == subscription,
            _ => true,
        })
    }

    pub(in crate::plan) fn has_untagged(&self) -> bool {
        !self.untagged.is_empty()
    }

    /// Those whose tags are not ours, by what their names begin with.
    pub(in crate::plan) fn untagged<'a>(&'a self, stem: &str) -> impl Iterator<Item = &'a KnownGroup> + use<'a> {
        let indices = self.untagged.get(stem).map(Vec::as_slice).unwrap_or_default();
        indices.iter().map(|index| &self.all[*index])
    }

    /// Whether a later attempt at the same message is there.
    pub(in crate::plan) fn is_superseded(&self, known: &KnownGroup) -> bool {
        self.successors(known).next().is_some()
    }

    /// Whether one is that will still be there when this group is gone, whatever another process does meanwhile.
    pub(in crate::plan) fn is_superseded_for_good(&self, known: &KnownGroup) -> bool {
        self.successors(known).any(|successor| !successor.may_fail_soon)
    }

    fn successors(&self, known: &KnownGroup) -> impl Iterator<Item = &KnownGroup> {
        let id = known.message_id.iter();
        id.flat_map(|id| self.of_message(known.subscription.as_ref(), id)).filter(|other| {
            let same = other.sequence_number == known.sequence_number || known.sequence_number.is_none();
            // One that is about to be deleted will be followed by an attempt that needs this record.
            let stays = !matches!(other.state, GroupState::Stuck { .. } | GroupState::Overran { .. });
            same && other.look == Look::Done && stays && other.attempt > known.attempt
        })
    }

    /// Which attempt the latest one before this was at the same message of which a group is still there, or may be.
    pub(in crate::plan) fn attempt_before(&self, known: &KnownGroup) -> Option<u32> {
        let id = known.message_id.as_ref()?;
        let same = self
            .of_message(known.subscription.as_ref(), id)
            .filter(|other| other.sequence_number == known.sequence_number);
        same.map(|other| other.attempt).filter(|attempt| *attempt < known.attempt).max()
    }
}

impl KnownGroup {
    fn of(observed: &ObservedGroup, memory: &Memory, policy: &Policy, now: OffsetDateTime) -> Self {
        let Policy { rules, recipe } = policy;
        let group = &observed.group;
        // Whatever the tags of a group say that are not ours, its name says which attempt it is.
        let untagged = group.ownership == Ownership::Untagged;
        let tag = |key: &str| group.tag(key).filter(|_| !untagged);
        let subscription = tag(tag::SUBSCRIPTION_NAME).filter(|name| !name.is_empty()).map(SubscriptionName::new);
        let message_id = tag(tag::MESSAGE_ID).and_then(|id| MessageId::new(id).ok());
        let by_name = recipe.name_prefix.stem_and_attempt(&group.name).filter(|_| untagged);
        let is_named_by_tags = || {
            let stem = recipe.stem(subscription.as_ref()?, message_id.as_ref()?);
            recipe.name_prefix.stem_and_attempt(&group.name).map(|(of, _)| of == stem)
        };
        let by_tags = || group.attempt().saturating_add(group.attempts_before());
        let attempt = by_name.map_or_else(by_tags, |(_, attempt)| attempt);
        Self {
            group: group.clone(),
            look: observed.look.clone(),
            ownership: group.ownership,
            has_its_own_tags: group.ownership == Ownership::Tagged || is_named_by_tags().unwrap_or_default(),
            sequence_number: group.sequence_number().filter(|_| !untagged),
            attempt,
            attempts_before: group.attempts_before().min(attempt - 1),
            subscription,
            message_id,
            billed_on_since: Condition::Ended.tagged(group, now).filter(|_| group.may_be_billed_on()),
            may_fail_soon: fails_at(group, rules, now).is_some_and(|at| at - now < LONGEST_PASS),
            state: if observed.look == Look::Done {
                GroupState::of(group, memory, rules, now)
            } else {
                GroupState::Active { running_since: None, running: false }
            },
        }
    }

    pub(in crate::plan) fn name(&self) -> &GroupName {
        &self.group.name
    }

    /// Which attempt it is since the count was last started again.
    pub(in crate::plan) fn number(&self) -> u32 {
        self.attempt - self.attempts_before
    }

    /// How many attempts do not count for the next one: if an operator lets the count start again, this one is among them.
    pub(in crate::plan) fn attempts_before_next(&self) -> u32 {
        if self.group.is_retried() { self.attempt } else { self.attempts_before }
    }

    /// The message that it was created for, if its tags say so.
    pub(in crate::plan) fn message(&self) -> Option<MessageAddress> {
        Some(MessageAddress {
            subscription: self.subscription.clone()?,
            sequence_number: self.sequence_number?,
            message_id: self.message_id.clone(),
        })
    }

    /// The name, and the moment that tells this group from others of its name.
    pub(in crate::plan) fn instance(&self) -> (GroupName, OffsetDateTime) {
        let moment = match self.state {
            GroupState::Stuck { since } | GroupState::Overran { since } => since,
            GroupState::Ended { at, .. } => at,
            GroupState::Active { running_since, .. } => running_since.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        };
        (self.name().clone(), moment)
    }

    /// The attempt that it was, if it has ended.
    pub(in crate::plan) fn as_attempt(&self) -> Option<Attempt> {
        let GroupState::Ended { success, at, ran } = self.state else { return None };
        Some(Attempt { number: self.number(), ended_at: at, ran, failed: !success })
    }
}
