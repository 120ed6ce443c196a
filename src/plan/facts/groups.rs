//! The existing container groups, and the messages they were created for.

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

/// The longest that the host lets a pass take. Clocks differ by less.
const LONGEST_PASS: Duration = Duration::minutes(5);

/// The existing groups, by message and by subscription.
#[derive(Debug)]
pub(in crate::plan) struct KnownGroups {
    all: Vec<KnownGroup>,
    by_message_id: HashMap<MessageId, Vec<usize>>,
    /// Groups whose tags were rewritten, by the part of the name that all attempts at their message share.
    untagged: HashMap<String, Vec<usize>>,
    active_by_subscription: HashMap<SubscriptionName, u32>,
    capacity: Capacity,
}

#[derive(Debug)]
pub(in crate::plan) struct KnownGroup {
    pub(in crate::plan) group: Arc<ContainerGroup>,
    pub(in crate::plan) look: Look,
    pub(in crate::plan) ownership: Ownership,
    /// Whether its tags are certainly as the scaler set them. If so, a subscription that they name and that is in no list is
    /// gone.
    pub(in crate::plan) has_its_own_tags: bool,
    /// None for groups of the Python scaler, which did not set this tag.
    pub(in crate::plan) subscription: Option<SubscriptionName>,
    pub(in crate::plan) message_id: Option<MessageId>,
    pub(in crate::plan) sequence_number: Option<i64>,
    /// The number in its name. It goes on when an operator restarts the count.
    pub(in crate::plan) attempt: u32,
    /// How many of these attempts came before the count was last restarted.
    pub(in crate::plan) attempts_before: u32,
    /// Since when Azure may have been billing it although its work has ended, by its tag.
    pub(in crate::plan) billed_on_since: Option<OffsetDateTime>,
    /// Whether it may be stuck or overrun before a pass that begins now has ended.
    may_fail_soon: bool,
    pub(in crate::plan) state: GroupState,
}

impl KnownGroups {
    /// A group whose containers could not be read counts as active.
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

    /// Counts groups that are stuck or overran as active, because their ages cannot be trusted.
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

    /// The groups for messages with this id in a subscription. A group that names no subscription is in all of them; a caller
    /// that names none gets those of all.
    pub(in crate::plan) fn of_message(
        &self,
        subscription: Option<&SubscriptionName>,
        id: &MessageId,
    ) -> impl Iterator<Item = &KnownGroup> + Clone {
        let indices = self.by_message_id.get(id).map(Vec::as_slice).unwrap_or_default();
        indices.iter().map(|index| &self.all[*index]).filter(move |known| match (&known.subscription, subscription) {
            (Some(of), Some(subscription)) => of == subscription,
            _ => true,
        })
    }

    /// Whether a message's group is there.
    pub(in crate::plan) fn contains(&self, group: &GroupName, message: &MessageAddress) -> bool {
        let id = message.message_id.iter();
        id.flat_map(|id| self.of_message(Some(&message.subscription), id)).any(|known| known.name() == group)
    }

    pub(in crate::plan) fn has_untagged(&self) -> bool {
        !self.untagged.is_empty()
    }

    /// The groups whose tags were rewritten and whose names begin with this stem.
    pub(in crate::plan) fn untagged<'a>(
        &'a self,
        stem: &str,
    ) -> impl Iterator<Item = &'a KnownGroup> + Clone + use<'a> {
        let indices = self.untagged.get(stem).map(Vec::as_slice).unwrap_or_default();
        indices.iter().map(|index| &self.all[*index])
    }

    /// Whether a later attempt at the same message has a group.
    pub(in crate::plan) fn has_successor(&self, known: &KnownGroup) -> bool {
        self.successors(known).next().is_some()
    }

    /// Whether a later attempt has a group that will outlast this one, whatever another process does meanwhile.
    pub(in crate::plan) fn has_lasting_successor(&self, known: &KnownGroup) -> bool {
        self.successors(known).any(|successor| !successor.may_fail_soon)
    }

    fn successors(&self, known: &KnownGroup) -> impl Iterator<Item = &KnownGroup> {
        let id = known.message_id.iter();
        id.flat_map(|id| self.of_message(known.subscription.as_ref(), id)).filter(|other| {
            let same = other.sequence_number == known.sequence_number || known.sequence_number.is_none();
            // A group that is about to be deleted will be followed by an attempt that needs this record.
            let stays = !matches!(other.state, GroupState::Stuck { .. } | GroupState::Overran { .. });
            same && other.look == Look::Done && stays && other.attempt > known.attempt
        })
    }

    /// The number of the latest attempt before this one at the same message whose group exists, or may exist.
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
        // Rewritten tags prove nothing; then the name says which attempt it is.
        let untagged = group.ownership == Ownership::Untagged;
        let tag = |key: &str| group.tag(key).filter(|_| !untagged);
        let subscription = tag(tag::SUBSCRIPTION_NAME).filter(|name| !name.is_empty()).map(SubscriptionName::new);
        let message_id = tag(tag::MESSAGE_ID).and_then(|id| MessageId::new(id).ok());
        let by_name = recipe.name_prefix.stem_and_attempt(&group.name).filter(|_| untagged);
        let is_named_by_tags = || {
            let stem = recipe.stem(subscription.as_ref()?, message_id.as_ref()?);
            recipe.name_prefix.stem_and_attempt(&group.name).map(|(of, _)| of == stem)
        };
        let by_tags = || group.attempt_in_name();
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

    /// Which attempt it is since the count was last restarted.
    pub(in crate::plan) fn number(&self) -> u32 {
        self.attempt - self.attempts_before
    }

    /// How many attempts the next one does not count. If an operator restarts the count, this one is among them.
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

    /// The name, and a time that tells this group from others with its name.
    pub(in crate::plan) fn instance(&self) -> (GroupName, OffsetDateTime) {
        let moment = match self.state {
            GroupState::Stuck { since } | GroupState::Overran { since } => since,
            GroupState::Ended { at, .. } => at,
            GroupState::Active { running_since, .. } => running_since.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        };
        (self.name().clone(), moment)
    }

    /// Its attempt, if it has ended.
    pub(in crate::plan) fn as_attempt(&self) -> Option<Attempt> {
        let GroupState::Ended { success, at, ran } = self.state else { return None };
        Some(Attempt { number: self.number(), ended_at: at, ran, failed: !success })
    }
}
