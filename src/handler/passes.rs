//! The interface between the handler and the passes that it runs.

use std::future::Future;

use serde_json::Value;

use crate::deadline::Deadline;
use crate::pass::{self, FailedPasses};
use crate::services::{ContainerGroups, Messages, Subscriptions};

/// The passes that the handler runs when the host invokes it.
pub trait Passes: Send + Sync + 'static {
    /// Runs one pass, and ends it by the deadline, which a shutdown can bring forward.
    fn pass(&self, deadline: Deadline) -> impl Future<Output = Result<PassSummary, InvocationFailure>> + Send;

    /// Closes what was kept for the next pass, because there will be none.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What a pass reports to the host.
#[derive(Clone, Debug, PartialEq)]
pub struct PassSummary {
    /// The answer's `Logs`: the host logs each at level Information under `Function.ScaleTimer.User`. They must not repeat what
    /// the process logs to its own streams.
    pub lines: Vec<String>,
    pub report: Value,
}

/// Why a pass did nothing. It shows as a failed invocation.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct InvocationFailure {
    #[source]
    reason: Box<dyn std::error::Error + Send + Sync>,
    /// How many passes failed in a row, and what waits meanwhile, if known.
    pub(super) in_a_row: Option<FailedPasses>,
}

impl InvocationFailure {
    /// A failure by an error, or for a reason in words.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { reason: reason.into(), in_a_row: None }
    }
}

impl<G, S, M> Passes for pass::Scaler<G, S, M>
where
    G: ContainerGroups + 'static,
    S: Subscriptions + 'static,
    M: Messages + 'static,
{
    async fn pass(&self, deadline: Deadline) -> Result<PassSummary, InvocationFailure> {
        let report = pass::Scaler::pass(self, pass::Mode::Apply, &deadline).await.map_err(|failure| {
            InvocationFailure { in_a_row: self.failed_passes(), ..InvocationFailure::new(failure) }
        })?;
        report.log();
        let report = serde_json::to_value(report.bounded()).map_err(InvocationFailure::new)?;
        // The host would log these once more.
        Ok(PassSummary { lines: Vec::new(), report })
    }

    async fn close(&self) {
        pass::Scaler::close(self).await;
    }
}
