//! The failed creates of a pass, and how many more to try when they all fail for the same reason.

use std::collections::BTreeMap;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::{DISTINCT_MESSAGES, FailureCause, FailureKind};
use crate::services::ArmError;
use crate::sync::Mutex;

/// The failed creates of a pass.
///
/// While all creates of a subscription fail with the same code, at most `max(3, workers)` are sent: as many as it takes to see
/// that the next one would fail too, or as many as run at once.
pub(super) struct Failures {
    most_unproven: usize,
    gates: Mutex<BTreeMap<SubscriptionName, Gate>>,
    changed: Notify,
    failed: Mutex<Vec<(MessageAddress, FailureCause)>>,
}

/// The creates of a subscription since the last success.
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
            most_unproven: workers.max(DISTINCT_MESSAGES),
            gates: Mutex::default(),
            changed: Notify::new(),
            failed: Mutex::default(),
        }
    }

    /// Azure's answer to all creates of the subscription, if this pass sends no more of them.
    pub(super) fn closed(&self, subscription: &SubscriptionName) -> Option<String> {
        self.gates.lock().get(subscription).and_then(Gate::closed)
    }

    /// Whether a create of a subscription may be sent now. If so, it counts as under way; if not, ask again after
    /// [`Failures::changed`].
    ///
    /// # Errors
    /// Azure's answer to all creates of the subscription, if this pass sends no more of them.
    pub(super) fn admit(&self, subscription: &SubscriptionName) -> Result<bool, String> {
        let mut gates = self.gates.lock();
        let gate = gates.entry(subscription.clone()).or_default();
        if let Some(reason) = gate.closed() {
            return Err(reason);
        }
        let unproven = gate.failed.values().sum::<usize>() + gate.under_way;
        let admitted = gate.has_succeeded || gate.under_way == 0 || unproven < self.most_unproven;
        gate.under_way += usize::from(admitted);
        Ok(admitted)
    }

    /// Resolves when a create ends after this call.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Notes that an admitted create has ended. A failure must be added first.
    pub(super) fn ended(&self, subscription: &SubscriptionName, succeeded: bool) {
        let mut gates = self.gates.lock();
        let gate = gates.entry(subscription.clone()).or_default();
        gate.under_way -= 1;
        if succeeded {
            *gate = Gate { has_succeeded: true, under_way: gate.under_way, ..Gate::default() };
        }
        self.changed.notify_waiters();
    }

    /// Adds a create that failed, or whose look-up failed.
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

    /// The messages whose creates failed, and why.
    pub(super) fn into_causes(self) -> Vec<(MessageAddress, FailureCause)> {
        self.failed.into_inner()
    }
}

impl Gate {
    fn closed(&self) -> Option<String> {
        self.failed.values().any(|count| *count >= DISTINCT_MESSAGES).then(|| self.reason.clone())
    }
}

/// The cause of an error. Failures with the same code count as one cause.
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
