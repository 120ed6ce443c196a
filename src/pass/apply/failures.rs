//! What goes wrong with the creates of a pass, and how many may be tried when they fail alike.

use std::collections::BTreeMap;

use tokio::sync::Notify;

use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::{DISTINCT_MESSAGES, FailureCause, FailureKind};
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

    /// Waits until a create of a subscription may be sent.
    ///
    /// # Errors
    /// What Azure says to all creates of the subscription, so that no other is sent in this pass.
    pub(super) async fn admit(&self, subscription: &SubscriptionName) -> Result<(), String> {
        loop {
            let changed = self.changed.notified();
            {
                let mut gates = self.gates.lock();
                let gate = gates.entry(subscription.clone()).or_default();
                if gate.failed.values().any(|count| *count >= DISTINCT_MESSAGES) {
                    return Err(gate.reason.clone());
                }
                let in_vain = gate.failed.values().sum::<usize>() + gate.under_way;
                if gate.has_succeeded || gate.under_way == 0 || in_vain < self.most_in_vain {
                    gate.under_way += 1;
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    /// An admitted create has ended, for better or worse; without a cause, it says nothing of others.
    pub(super) fn ended(&self, message: &MessageAddress, succeeded: bool, cause: Option<FailureCause>) {
        let mut gates = self.gates.lock();
        let gate = gates.entry(message.subscription.clone()).or_default();
        gate.under_way = gate.under_way.saturating_sub(1);
        if succeeded {
            *gate = Gate { has_succeeded: true, under_way: gate.under_way, ..Gate::default() };
        }
        if let Some(cause) = cause {
            if cause.kind != FailureKind::AboutMessage {
                gate.has_succeeded = false;
                *gate.failed.entry(cause.code.clone()).or_default() += 1;
                gate.reason.clone_from(&cause.reason);
            }
            self.failed.lock().push((message.clone(), cause));
        }
        self.changed.notify_waiters();
    }

    /// Which messages have failed, and why.
    pub(super) fn into_causes(self) -> Vec<(MessageAddress, FailureCause)> {
        self.failed.into_inner()
    }
}
