//! What goes wrong with the creates of a pass, and how many may be tried when they fail alike.

use std::collections::BTreeMap;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::{DISTINCT_MESSAGES, FailureCause, FailureKind};
use crate::services::ArmError;
use crate::sync::Mutex;

/// The creates of a pass that have failed.
///
/// Of each subscription, at most `max(3, workers)` creates are sent while all fail with the same code: as many as it takes
/// to see that the next one would fail too, or as many as are under way at once.
pub(super) struct Failures {
    most_in_vain: usize,
    gates: Mutex<BTreeMap<SubscriptionName, Gate>>,
    changed: Notify,
    failed: Mutex<Vec<(MessageAddress, FailureCause)>>,
}

/// The creates of a subscription since one has last succeeded.
#[derive(Default)]
struct Gate {
    has_succeeded: bool,
    under_way: usize,
    failed: BTreeMap<String, usize>,
    reason: String,
}

impl Failures {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            most_in_vain: workers.max(DISTINCT_MESSAGES),
            gates: Mutex::default(),
            changed: Notify::new(),
            failed: Mutex::default(),
        }
    }

    /// What Azure says to all creates of the subscription, if no other is sent in this pass.
    pub(super) fn closed(&self, subscription: &SubscriptionName) -> Option<String> {
        self.gates.lock().get(subscription).and_then(Gate::closed)
    }

    /// Whether a create of a subscription may be sent now; it is under way if so. Otherwise that may change.
    ///
    /// # Errors
    /// What Azure says to all creates of the subscription, so that no other is sent in this pass.
    pub(super) fn admit(&self, subscription: &SubscriptionName) -> Result<bool, String> {
        let mut gates = self.gates.lock();
        let gate = gates.entry(subscription.clone()).or_default();
        if let Some(reason) = gate.closed() {
            return Err(reason);
        }
        let in_vain = gate.failed.values().sum::<usize>() + gate.under_way;
        let admitted = gate.has_succeeded || gate.under_way == 0 || in_vain < self.most_in_vain;
        gate.under_way += usize::from(admitted);
        Ok(admitted)
    }

    /// Resolves when a create has ended after this was called.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// An admitted create has ended. What has failed is added before.
    pub(super) fn ended(&self, subscription: &SubscriptionName, succeeded: bool) {
        let mut gates = self.gates.lock();
        let gate = gates.entry(subscription.clone()).or_default();
        gate.under_way -= 1;
        if succeeded {
            *gate = Gate { has_succeeded: true, under_way: gate.under_way, ..Gate::default() };
        }
        self.changed.notify_waiters();
    }

    /// A create, or the look-up before it, has failed.
    pub(super) fn add(&self, message: &MessageAddress, cause: FailureCause) {
        if cause.kind != FailureKind::AboutMessage {
            let mut gates = self.gates.lock();
            let gate = gates.entry(message.subscription.clone()).or_default();
            gate.has_succeeded = false;
            *gate.failed.entry(cause.code.clone()).or_default() += 1;
            gate.reason.clone_from(&cause.reason);
        }
        self.failed.lock().push((message.clone(), cause));
    }

    /// Which messages have failed, and why.
    pub(super) fn into_causes(self) -> Vec<(MessageAddress, FailureCause)> {
        self.failed.into_inner()
    }
}

impl Gate {
    fn closed(&self) -> Option<String> {
        self.failed.values().any(|count| *count >= DISTINCT_MESSAGES).then(|| self.reason.clone())
    }
}

/// What failures have in common that have one cause, and what to conclude from it.
pub(super) fn cause_of(error: &ArmError) -> FailureCause {
    let code = error.code().unwrap_or("no answer").to_owned();
    FailureCause { code, reason: error.to_string(), kind: kind_of(error) }
}

fn kind_of(error: &ArmError) -> FailureKind {
    match error {
        ArmError::Rejected(refusal) if refusal.is_about_request() => FailureKind::AboutMessage,
        ArmError::Busy(_) | ArmError::JustGone | ArmError::Throttled { .. } => FailureKind::Passing,
        _ if error.leaves_in_doubt() => FailureKind::Passing,
        _ => FailureKind::Refused,
    }
}
