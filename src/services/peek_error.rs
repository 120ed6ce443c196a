//! Why messages could not be peeked.

use std::time::Duration;

use crate::error::Cause;

/// Why messages could not be peeked; each variant is a thing to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// The namespace is busy: leave it alone for a while, all subscriptions of it.
    #[error("Service Bus is busy; it is left alone for {} s", retry_after.as_secs())]
    Busy { retry_after: Duration },
    /// Fix the connection string, or grant the scaler's identity a role.
    #[error("Service Bus refuses the scaler's credentials: {reason}")]
    Unauthorized {
        #[source]
        reason: Cause,
    },
    /// Fix the scaler's identity, or what keeps its endpoint from being reached: nothing was asked, since there is no token to
    /// ask with.
    #[error("{reason}")]
    NoToken {
        #[source]
        reason: Cause,
    },
    /// The subscription cannot be peeked as it is set up (missing, disabled, forwarding).
    #[error("the subscription cannot be peeked: {reason}")]
    Misconfigured {
        #[source]
        reason: Cause,
    },
    /// No answer in time.
    #[error("Service Bus did not answer within {} s", after.as_secs())]
    TimedOut { after: Duration },
    /// The connection failed or the answer made no sense: try again at the next pass.
    #[error("Service Bus could not be read: {reason}")]
    Unavailable {
        #[source]
        reason: Cause,
    },
}
