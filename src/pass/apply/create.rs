//! Creates groups, until there is a reason to stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Applier;
use super::budget::SPARE_REQUESTS;
use super::failures::Failures;
use crate::container_group::{ContainerGroup, GroupName, GroupSpec, Liveness, MemoryGb, Ownership, tag};
use crate::message::MessageAddress;
use crate::plan::{Create, FailureCause, FailureKind, MessageOutcome};
use crate::services::{ArmError, ContainerGroups};
use crate::sync::Mutex;

/// The part of a pass that is left to deletes when creates are slow: a quarter, so that neither starves the other.
const DELETES_SHARE: u32 = 4;

/// What is said when tags come back changed.
const TAGS_REWRITTEN: &str = "the tags of a new container group came back without aci_scaler and managed_by as they were \
    set: an Azure Policy that modifies or replaces tags is assigned to the resource group or above it. Its groups count, but \
    are never deleted; exempt Microsoft.ContainerInstance/containerGroups from that policy";

pub(super) struct Creator<'a, G> {
    applier: &'a Applier<'a, G>,
    reserve: Duration,
    spare: u32,
    /// Groups that are created in place of those that Azure refuses.
    reserves: Mutex<VecDeque<Create>>,
    /// Why no further group is created in this pass.
    stop: Mutex<Option<Stop>>,
    /// The least memory that Azure has no room for, and what it says.
    no_room: Mutex<Option<(MemoryGb, String)>>,
    failures: Failures,
    created: Mutex<Vec<(MessageAddress, Arc<ContainerGroup>)>>,
    /// Whether the tags of new groups come back changed, as far as any answer shows.
    tags_are_rewritten: Mutex<Option<bool>>,
}

/// What has become of the creates, besides the outcomes.
pub(super) struct Created {
    pub(super) unused_reserves: VecDeque<Create>,
    pub(super) failed: Vec<(MessageAddress, FailureCause)>,
    /// Those whose groups were created.
    pub(super) messages: Vec<(MessageAddress, Arc<ContainerGroup>)>,
    pub(super) tags_are_rewritten: Option<bool>,
}

#[derive(Clone)]
enum Stop {
    /// Azure wants a break.
    Quota(String),
    /// Azure will refuse every other request just the same.
    Refused(String),
    /// Something rewrites the tags of new groups.
    TagsRewritten,
}

impl<'a, G: ContainerGroups> Creator<'a, G> {
    /// One that leaves room for this many deletes.
    pub(super) fn new(applier: &'a Applier<'a, G>, deletes: usize, reserves: Vec<Create>) -> Self {
        Self {
            applier,
            reserve: applier.deadline.remaining() / DELETES_SHARE,
            spare: u32::try_from(deletes).unwrap_or(u32::MAX).saturating_add(SPARE_REQUESTS),
            reserves: Mutex::new(reserves.into()),
            stop: Mutex::new(applier.budget.resting().map(Stop::low)),
            no_room: Mutex::default(),
            failures: Failures::new(applier.workers),
            created: Mutex::default(),
            tags_are_rewritten: Mutex::default(),
        }
    }

    /// Creates a group, or another in its place for as long as Azure refuses them.
    pub(super) async fn create(&self, create: Create) -> Vec<(MessageAddress, MessageOutcome)> {
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

    /// Creates a group, or says why not, and whether its slot is surely free.
    async fn create_one(&self, Create { message, spec, record }: Create) -> (MessageOutcome, bool) {
        if let Some(outcome) = self.stopped(&spec) {
            return (outcome, false);
        }
        if let Err(reason) = self.failures.admit(&message.subscription).await {
            return (MessageOutcome::HeldByFailedCreates { reason }, true);
        }
        let answer = self.applier.deadline.limit(self.look_up_and_create(&message, &spec, record)).await;
        let unanswered = || ArmError::unavailable("the pass had to end before Azure answered");
        match answer.unwrap_or_else(|| Err(unanswered())) {
            Ok(outcome) => {
                let is_created = matches!(outcome, MessageOutcome::Created { .. });
                self.failures.ended(&message, is_created, None);
                (outcome, false)
            }
            Err(error) => {
                if error.leaves_in_doubt() {
                    self.applier.requests.given_up(&spec.name);
                }
                let (outcome, cause) = self.failed(spec, &error);
                self.failures.ended(&message, false, cause);
                (outcome, matches!(error, ArmError::Rejected(_)))
            }
        }
    }

    /// A PUT on a group that is already there would restart it, or run it again. So the last thing before it is a look.
    async fn look_up_and_create(
        &self,
        message: &MessageAddress,
        spec: &GroupSpec,
        record: Option<GroupName>,
    ) -> Result<MessageOutcome, ArmError> {
        if let Some(record) = record {
            let found = self.applier.groups.get(&record).await?;
            if !found.is_some_and(|group| group.liveness() == Liveness::Terminal) {
                return Ok(MessageOutcome::Changed { group: record });
            }
        }
        if let Some(found) = self.applier.groups.get(&spec.name).await? {
            tracing::info!(event = "found", group = %spec.name, "the container group is already there");
            self.check_tags(spec, found.ownership);
            return Ok(MessageOutcome::Found { group: spec.name.clone() });
        }
        if let Some(outcome) = self.stopped(spec) {
            return Ok(outcome);
        }
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

    /// What Azure shows of a group's tags says whether something rewrites them.
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

    /// The outcome of a create that failed, and the cause unless it has stopped all creates that it concerns.
    fn failed(&self, spec: GroupSpec, error: &ArmError) -> (MessageOutcome, Option<FailureCause>) {
        let reason = error.to_string();
        match error {
            ArmError::Throttled { .. } | ArmError::NoCapacity(_) => {
                if matches!(error, ArmError::Throttled { .. }) {
                    self.applier.budget.throttled();
                }
                self.stop(Stop::Quota(reason.clone()));
                return (MessageOutcome::WaitingQuota { reason }, None);
            }
            ArmError::NoRoomForSize(_) => {
                let mut no_room = self.no_room.lock();
                if no_room.as_ref().is_none_or(|(memory, _)| spec.memory < *memory) {
                    *no_room = Some((spec.memory, reason.clone()));
                }
                return (MessageOutcome::WaitingQuota { reason }, None);
            }
            ArmError::Unauthorized(_) | ArmError::NoToken(_) => self.stop(Stop::Refused(reason.clone())),
            _ => {}
        }
        let cause = FailureCause { code: code_of(error), reason: reason.clone(), kind: kind_of(error) };
        (MessageOutcome::Failed { group: spec.name, reason }, Some(cause))
    }

    /// Why a group is not created any more in this pass, if it is not.
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

/// What failures have in common that have one cause.
fn code_of(error: &ArmError) -> String {
    error.code().unwrap_or("no answer").to_owned()
}

fn kind_of(error: &ArmError) -> FailureKind {
    match error {
        ArmError::Rejected(refusal) if refusal.is_about_request() => FailureKind::AboutMessage,
        ArmError::Busy(_) | ArmError::JustGone | ArmError::Throttled { .. } => FailureKind::Passing,
        _ if error.leaves_in_doubt() => FailureKind::Passing,
        _ => FailureKind::Refused,
    }
}
