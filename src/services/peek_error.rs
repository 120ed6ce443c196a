//! Errors of peeking.

use std::time::Duration;

use crate::error::Cause;

/// Why messages could not be peeked. Each variant says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// The namespace is busy: send it nothing for a while, for any subscription.
    #[error("Service Bus is busy; the scaler waits {} s", retry_after.as_secs())]
    Busy { retry_after: Duration },
    /// Fix the connection string, or grant the scaler's identity a role.
    #[error("Service Bus refuses the scaler's credentials: {reason}")]
    Unauthorized {
        #[source]
        reason: Cause,
    },
    /// Fix the scaler's identity or the way to its endpoint: nothing was sent, because there is no token.
    #[error("{reason}")]
    NoToken {
        #[source]
        reason: Cause,
    },
    /// The subscription's setup prevents peeking (missing, disabled, forwarding).
    #[error("the subscription cannot be peeked: {reason}")]
    Misconfigured {
        #[source]
        reason: Cause,
    },
    /// No answer in time.
    #[error("Service Bus did not answer within {} s", after.as_secs())]
    TimedOut { after: Duration },
    /// The connection failed or the answer was malformed: the next pass tries again.
    #[error("Service Bus could not be read: {reason}")]
    Unavailable {
        #[source]
        reason: Cause,
    },
}
