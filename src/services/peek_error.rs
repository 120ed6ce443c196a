//! Why messages could not be peeked.

use std::time::Duration;

/// Why messages could not be peeked; each variant is a thing to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// The namespace is busy: leave it alone for a while, all subscriptions of it.
    #[error("Service Bus is busy; it is left alone for {} s", retry_after.as_secs())]
    Busy {
        /// How long nothing should be asked of the namespace.
        retry_after: Duration,
    },
    /// Mend the connection string, or grant the scaler's identity a role.
    #[error("Service Bus refuses the scaler's credentials: {reason}")]
    Unauthorized {
        /// What the service says.
        reason: String,
    },
    /// The subscription cannot be peeked as it is set up (missing, disabled, forwarding).
    #[error("the subscription cannot be peeked: {reason}")]
    Misconfigured {
        /// What the service says.
        reason: String,
    },
    /// No answer in time.
    #[error("Service Bus did not answer within {} s", after.as_secs())]
    TimedOut {
        /// How long it was given.
        after: Duration,
    },
    /// The connection failed or the answer made no sense: try again at the next pass.
    #[error("Service Bus could not be read: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
}
