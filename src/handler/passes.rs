//! What the handler runs, and what comes back.

use std::future::Future;

use serde_json::Value;

use crate::deadline::Deadline;
use crate::pass;
use crate::services::{ContainerGroups, Messages, Subscriptions};

/// The passes that the handler runs when the host invokes it.
pub trait Passes: Send + Sync + 'static {
    /// Runs one pass, and ends it by itself when the deadline passes, which a shutdown can bring forward.
    fn pass(&self, deadline: Deadline) -> impl Future<Output = Result<PassSummary, InvocationFailure>> + Send;

    /// Closes what was left for another pass: there will be none.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What a pass reports to the host.
#[derive(Clone, Debug, PartialEq)]
pub struct PassSummary {
    /// The answer's `Logs`: the host logs each at level Information under `Function.ScaleTimer.User`.
    pub lines: Vec<String>,
    pub report: Value,
}

/// Why a pass achieved nothing. It shows as a failed invocation.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InvocationFailure(Box<dyn std::error::Error + Send + Sync>);

impl InvocationFailure {
    /// A failure because of an error, or for a reason put in words.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl<G, S, M> Passes for pass::Scaler<G, S, M>
where
    G: ContainerGroups + 'static,
    S: Subscriptions + 'static,
    M: Messages + 'static,
{
    async fn pass(&self, deadline: Deadline) -> Result<PassSummary, InvocationFailure> {
        let report = pass::Scaler::pass(self, pass::Mode::Apply, &deadline).await.map_err(InvocationFailure::new)?;
        let lines = report.summary();
        let report = serde_json::to_value(report.without_routine()).map_err(InvocationFailure::new)?;
        Ok(PassSummary { lines, report })
    }

    async fn close(&self) {
        pass::Scaler::close(self).await;
    }
}
