//! Creates groups, until there is a reason to stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::budget;
use super::failures::{Failures, cause_of};
use super::{Applier, MAX_LOOK_UP_AGE};
use crate::container_group::{ContainerGroup, GroupSpec, Liveness, MemoryGb, Ownership, tag};
use crate::message::{MessageAddress, SubscriptionName};
use crate::pass::side_by_side;
use crate::plan::{Create, FailureCause, MessageOutcome};
use crate::services::{ArmError, ContainerGroups};
use crate::sync::Mutex;

/// The part of a pass that is reserved for deletes when creates are slow: a quarter, so that neither starves the other.
const DELETES_SHARE: u32 = 4;

/// The sentence for tags that come back changed.
const TAGS_REWRITTEN: &str = "a new container group came back without its tags aci_scaler and managed_by: an Azure Policy on \
    the resource group or above it rewrites tags. Groups without these tags count towards the cap and are never deleted; \
    exempt Microsoft.ContainerInstance/containerGroups from that policy";

pub(super) struct Creator<'a, G> {
    applier: &'a Applier<'a, G>,
    /// A permit for each PUT that may be under way.
    workers: Semaphore,
    reserve: Duration,
    spare: u32,
    /// Groups to create in place of those that Azure refuses.
    reserves: Mutex<VecDeque<Create>>,
    /// Why this pass creates no further group.
    stop: Mutex<Option<Stop>>,
    /// The least memory that Azure has no room for, and its answer.
    no_room: Mutex<Option<(MemoryGb, String)>>,
    failures: Failures,
    created: Mutex<Vec<(MessageAddress, Arc<ContainerGroup>)>>,
    /// Whether the tags of new groups come back changed, if an answer shows it.
    tags_are_rewritten: Mutex<Option<bool>>,
}

/// The results of the creates, besides the outcomes.
pub(super) struct Created {
    pub(super) unused_reserves: VecDeque<Create>,
    pub(super) failed: Vec<(MessageAddress, FailureCause)>,
    /// Messages whose groups were created.
    pub(super) messages: Vec<(MessageAddress, Arc<ContainerGroup>)>,
    pub(super) tags_are_rewritten: Option<bool>,
}

#[derive(Clone)]
enum Stop {
    /// Azure throttles, or has no room.
    Quota(String),
    /// Azure would refuse every other request for the same reason.
    Refused(String),
    /// Something rewrites the tags of new groups.
    TagsRewritten,
}

impl<'a, G: ContainerGroups> Creator<'a, G> {
    /// A creator that leaves enough of Azure's budget for this many deletes.
    pub(super) fn new(applier: &'a Applier<'a, G>, deletes: usize, reserves: Vec<Create>) -> Self {
        Self {
            applier,
            workers: Semaphore::new(applier.workers),
            reserve: applier.deadline.remaining() / DELETES_SHARE,
            spare: u32::try_from(deletes).unwrap_or(u32::MAX).saturating_add(budget::spare(applier.workers)),
            reserves: Mutex::new(reserves.into()),
            stop: Mutex::new(applier.budget.resting().map(Stop::low)),
            no_room: Mutex::default(),
            failures: Failures::new(applier.workers),
            created: Mutex::default(),
            tags_are_rewritten: Mutex::default(),
        }
    }

    /// Creates groups. As many PUTs as there are workers run at once, and as many look-ups ahead of them.
    pub(super) async fn create_all(&self, creates: Vec<Create>) -> Vec<(MessageAddress, MessageOutcome)> {
        let outcomes = side_by_side(2 * self.applier.workers, creates.into_iter().map(|create| self.create(create)));
        outcomes.await.into_iter().flatten().collect()
    }

    /// Creates a group, and, as long as Azure refuses, another in its place.
    async fn create(&self, create: Create) -> Vec<(MessageAddress, MessageOutcome)> {
        let mut outcomes = Vec::new();
        let mut next = Some(create);
        while let Some(create) = next.take() {
            let message = create.message.clone();
            let (outcome, slot_is_free) = self.create_one(create).await;
            outcomes.push((message, outcome));
            if slot_is_free && self.stop.lock().is_none() {
                next = self.reserves.lock().pop_front();
            }
        }
        outcomes
    }

    pub(super) fn into_created(self) -> Created {
        Created {
            unused_reserves: self.reserves.into_inner(),
            failed: self.failures.into_causes(),
            messages: self.created.into_inner(),
            tags_are_rewritten: self.tags_are_rewritten.into_inner(),
        }
    }

    /// Creates a group, or returns why not, and whether its slot is certainly free.
    async fn create_one(&self, create: Create) -> (MessageOutcome, bool) {
        if let Some(outcome) = self.stopped(&create.spec) {
            return (outcome, false);
        }
        if let Some(reason) = self.failures.closed(&create.message.subscription) {
            return (MessageOutcome::HeldByFailedCreates { reason }, true);
        }
        let looked_up_at = Instant::now();
        match self.limit(self.look_up(&create)).await {
            Ok(None) => {}
            Ok(Some(outcome)) => return (outcome, false),
            Err(error) => return self.failed(&create, &error),
        }
        let Create { message, spec, .. } = &create;
        let _turn = match self.turn(&message.subscription).await {
            Ok(turn) => turn,
            Err(reason) => return (MessageOutcome::HeldByFailedCreates { reason }, true),
        };
        let created = self.limit(async {
            if looked_up_at.elapsed() > MAX_LOOK_UP_AGE
                && let Some(outcome) = self.look_up(&create).await?
            {
                return Ok(outcome);
            }
            match self.stopped(spec) {
                Some(outcome) => Ok(outcome),
                None => self.put(message, spec).await,
            }
        });
        let created = created.await;
        let is_created = matches!(created, Ok(MessageOutcome::Created { .. }));
        let ended = created.map_or_else(|error| self.failed(&create, &error), |outcome| (outcome, false));
        self.failures.ended(&message.subscription, is_created);
        ended
    }

    async fn limit<T>(&self, work: impl Future<Output = Result<T, ArmError>>) -> Result<T, ArmError> {
        let unanswered = || ArmError::unavailable("the pass had to end before Azure answered");
        self.applier.deadline.limit(work).await.unwrap_or_else(|| Err(unanswered()))
    }

    /// Waits until a worker is free for a group of the subscription.
    ///
    /// # Errors
    /// Azure's answer to all creates of the subscription.
    async fn turn(&self, subscription: &SubscriptionName) -> Result<SemaphorePermit<'_>, String> {
        loop {
            let worker = self.workers.acquire().await.expect("it is never closed");
            let changed = self.failures.changed();
            if self.failures.admit(subscription)? {
                return Ok(worker);
            }
            drop(worker);
            changed.await;
        }
    }

    /// Why a group must not be created, if there is a reason. A PUT on an existing group would restart it, or run it again.
    async fn look_up(&self, create: &Create) -> Result<Option<MessageOutcome>, ArmError> {
        if let Some(record) = &create.record {
            let found = self.applier.groups.get(&record.name).await?;
            let is_unchanged = |found: &ContainerGroup| {
                found.liveness() == Liveness::Terminal && found.is_retried() == record.is_retried()
            };
            if !found.as_ref().is_some_and(is_unchanged) {
                return Ok(Some(MessageOutcome::Changed { group: record.name.clone() }));
            }
        }
        let group = create.spec.name.clone();
        let Some(found) = self.applier.groups.get(&group).await? else { return Ok(None) };
        tracing::info!(event = "found", %group, "the container group already exists");
        self.check_tags(&create.spec, found.ownership);
        Ok(Some(MessageOutcome::Found { group }))
    }

    /// Sends the request for a group.
    async fn put(&self, message: &MessageAddress, spec: &GroupSpec) -> Result<MessageOutcome, ArmError> {
        let group = self.applier.requests.sent(spec);
        let answer = self.applier.groups.create(spec).await;
        let remaining = match &answer {
            Ok(accepted) => accepted.remaining,
            Err(error) => error.remaining(),
        };
        self.applier.budget.saw(remaining);
        if let Some(left) = remaining.filter(|left| *left <= self.spare) {
            self.applier.budget.is_low(left);
            self.stop(Stop::low(left));
        }
        let accepted = answer.inspect_err(|error| {
            if !error.leaves_in_doubt() && !matches!(error, ArmError::Busy(_)) {
                self.applier.requests.refused(&spec.name);
            }
        })?;
        tracing::info!(
            event = "created", group = %spec.name, subscription = %spec.subscription, message_id = spec.tags.get(tag::MESSAGE_ID),
            attempt = spec.tags.get(tag::ATTEMPT).and_then(|attempt| attempt.parse::<u32>().ok()), memory_gb = spec.memory.to_f64(),
            ran_out_of_gb = spec.ran_out_of.map(MemoryGb::to_f64), "created a container group{}", spec.why_its_memory()
        );
        self.created.lock().push((message.clone(), group));
        if let Some(ownership) = accepted.ownership {
            self.check_tags(spec, ownership);
        }
        let GroupSpec { name, memory, ran_out_of, .. } = spec;
        Ok(MessageOutcome::Created { group: name.clone(), memory_gb: *memory, ran_out_of_gb: *ran_out_of })
    }

    /// Notes whether something rewrites tags, given whose group this is according to the tags that Azure shows.
    fn check_tags(&self, spec: &GroupSpec, shown: Ownership) {
        let rewritten = matches!(shown, Ownership::Untagged | Ownership::Foreign);
        let before = self.tags_are_rewritten.lock().replace(rewritten);
        if rewritten {
            self.stop(Stop::TagsRewritten);
            if before != Some(true) {
                tracing::error!(event = "tags_rewritten", group = %spec.name, "{TAGS_REWRITTEN}");
            }
        }
    }

    /// The outcome of a create that failed, and whether its slot is certainly free.
    fn failed(&self, create: &Create, error: &ArmError) -> (MessageOutcome, bool) {
        let Create { message, spec, .. } = create;
        if error.leaves_in_doubt() {
            self.applier.requests.given_up(&spec.name);
        }
        let reason = error.to_string();
        match error {
            ArmError::Throttled { .. } | ArmError::NoCapacity(_) => {
                if matches!(error, ArmError::Throttled { .. }) {
                    self.applier.budget.throttled();
                }
                self.stop(Stop::Quota(reason.clone()));
                return (MessageOutcome::WaitingQuota { reason }, false);
            }
            ArmError::NoRoomForSize(_) => {
                let mut no_room = self.no_room.lock();
                if no_room.as_ref().is_none_or(|(memory, _)| spec.memory < *memory) {
                    *no_room = Some((spec.memory, reason.clone()));
                }
                return (MessageOutcome::WaitingQuota { reason }, false);
            }
            ArmError::Unauthorized(_) | ArmError::NoToken(_) => self.stop(Stop::Refused(reason.clone())),
            _ => {}
        }
        self.failures.add(message, cause_of(error));
        (MessageOutcome::Failed { group: spec.name.clone(), reason }, matches!(error, ArmError::Rejected(_)))
    }

    /// Why this pass can no longer create a group, if it cannot.
    fn stopped(&self, spec: &GroupSpec) -> Option<MessageOutcome> {
        match self.stop.lock().clone() {
            Some(Stop::Quota(reason)) => return Some(MessageOutcome::WaitingQuota { reason }),
            Some(Stop::Refused(reason)) => return Some(MessageOutcome::HeldByFailedCreates { reason }),
            Some(Stop::TagsRewritten) => {
                return Some(MessageOutcome::HeldByFailedCreates { reason: TAGS_REWRITTEN.to_owned() });
            }
            None => {}
        }
        match &*self.no_room.lock() {
            Some((memory, reason)) if spec.memory >= *memory => {
                Some(MessageOutcome::WaitingQuota { reason: reason.clone() })
            }
            _ => self.is_late().then_some(MessageOutcome::WaitingDeadline),
        }
    }

    fn is_late(&self) -> bool {
        self.applier.deadline.remaining() <= self.reserve
            || self.applier.outdated_at.is_some_and(|at| Instant::now() >= at)
    }

    fn stop(&self, reason: Stop) {
        self.stop.lock().get_or_insert(reason);
    }
}

impl Stop {
    fn low(left: u32) -> Self {
        Self::Quota(format!("Azure takes only {left} more creates and deletes for now"))
    }
}
