//! Creates groups, until there is a reason to stop.

use std::time::Duration;

use tokio::time::Instant;

use super::Applier;
use super::budget::SPARE_REQUESTS;
use crate::container_group::{GroupName, GroupSpec, Liveness, MemoryGb, tag};
use crate::message::MessageAddress;
use crate::plan::{Create, MessageOutcome};
use crate::services::{ArmError, ContainerGroups};
use crate::sync::Mutex;

/// The part of a pass that is left to deletes when creates are slow: a quarter, so that neither starves the other.
const DELETES_SHARE: u32 = 4;

pub(super) struct Creator<'a, G> {
    applier: &'a Applier<'a, G>,
    reserve: Duration,
    spare: u32,
    /// Why no further group is created in this pass.
    stop: Mutex<Option<Stop>>,
    /// The least memory that Azure has no room for, and what it says.
    no_room: Mutex<Option<(MemoryGb, String)>>,
    /// Messages whose groups were refused.
    refused: Mutex<Vec<MessageAddress>>,
}

#[derive(Clone)]
enum Stop {
    /// Azure wants a break.
    Quota(String),
    /// Azure will refuse every other request just the same.
    Refused(String),
}

impl<'a, G: ContainerGroups> Creator<'a, G> {
    /// One that leaves room for this many deletes.
    pub(super) fn new(applier: &'a Applier<'a, G>, deletes: usize) -> Self {
        Self {
            applier,
            reserve: applier.deadline.remaining() / DELETES_SHARE,
            spare: u32::try_from(deletes).unwrap_or(u32::MAX).saturating_add(SPARE_REQUESTS),
            stop: Mutex::new(applier.budget.resting().map(Stop::low)),
            no_room: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Creates a group, or says why not.
    pub(super) async fn create(&self, Create { message, spec, record }: Create) -> (MessageAddress, MessageOutcome) {
        if let Some(outcome) = self.stopped(&spec) {
            return (message, outcome);
        }
        let outcome = match self.applier.deadline.limit(self.look_up_and_create(&spec, record)).await {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) => self.failed(&message, spec, &error),
            None => {
                let reason = "the pass had to end before Azure answered".to_owned();
                MessageOutcome::Failed { group: spec.name, reason }
            }
        };
        (message, outcome)
    }

    /// The messages whose groups were refused, for reasons that may be of their own.
    pub(super) fn into_refused(self) -> Vec<MessageAddress> {
        self.refused.into_inner()
    }

    /// A PUT on a group that is already there would restart it, or run it again. So the last thing before it is a look.
    async fn look_up_and_create(
        &self,
        spec: &GroupSpec,
        record: Option<GroupName>,
    ) -> Result<MessageOutcome, ArmError> {
        if let Some(record) = record {
            let found = self.applier.groups.get(&record).await?;
            if !found.is_some_and(|group| group.liveness() == Liveness::Terminal) {
                return Ok(MessageOutcome::Changed { group: record });
            }
        }
        if self.applier.groups.get(&spec.name).await?.is_some() {
            tracing::info!(group = %spec.name, "the container group is already there");
            return Ok(MessageOutcome::Found { group: spec.name.clone() });
        }
        if let Some(outcome) = self.stopped(spec) {
            return Ok(outcome);
        }
        self.applier.requests.add(spec);
        let created = self.applier.groups.create(spec).await?;
        if let Some(left) = created.remaining.filter(|left| *left <= self.spare) {
            self.applier.budget.is_low(left);
            self.stop(Stop::low(left));
        }
        tracing::info!(
            group = %spec.name, subscription = %spec.subscription, message_id = spec.tags.get(tag::MESSAGE_ID),
            attempt = spec.tags.get(tag::ATTEMPT), memory_gb = spec.memory.to_f64(),
            "created a container group"
        );
        Ok(MessageOutcome::Created { group: spec.name.clone(), memory_gb: spec.memory })
    }

    fn failed(&self, message: &MessageAddress, spec: GroupSpec, error: &ArmError) -> MessageOutcome {
        let reason = error.to_string();
        let (subscription, message_id) = (spec.subscription.as_str(), spec.tags.get(tag::MESSAGE_ID));
        match error {
            ArmError::Throttled { .. } | ArmError::NoCapacity { .. } => {
                tracing::warn!(group = %spec.name, %error, "no further container group is created in this pass");
                self.stop(Stop::Quota(reason.clone()));
                MessageOutcome::WaitingQuota { reason }
            }
            ArmError::NoRoomForSize { .. } => {
                tracing::warn!(
                    group = %spec.name, memory_gb = spec.memory.to_f64(), %error,
                    "no container group of this size is created in this pass"
                );
                let mut no_room = self.no_room.lock();
                if no_room.as_ref().is_none_or(|(memory, _)| spec.memory < *memory) {
                    *no_room = Some((spec.memory, reason.clone()));
                }
                MessageOutcome::WaitingQuota { reason }
            }
            ArmError::Unauthorized(_) | ArmError::NoToken(_) => {
                tracing::error!(group = %spec.name, subscription, message_id, %error, "no container group can be created");
                self.stop(Stop::Refused(reason.clone()));
                MessageOutcome::Failed { group: spec.name, reason }
            }
            _ => {
                tracing::error!(group = %spec.name, subscription, message_id, %error, "a container group was not created");
                if matches!(error, ArmError::Rejected { .. }) {
                    self.refused.lock().push(message.clone());
                }
                MessageOutcome::Failed { group: spec.name, reason }
            }
        }
    }

    /// Why a group is not created any more in this pass, if it is not.
    fn stopped(&self, spec: &GroupSpec) -> Option<MessageOutcome> {
        match self.stop.lock().clone() {
            Some(Stop::Quota(reason)) => return Some(MessageOutcome::WaitingQuota { reason }),
            Some(Stop::Refused(reason)) => return Some(MessageOutcome::Failed { group: spec.name.clone(), reason }),
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
