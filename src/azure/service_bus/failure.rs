//! Failures of requests, named for what the client does next.
//!
//! Sources: azure-docs `service-bus-amqp-troubleshoot.md` and `service-bus-amqp-request-response.md`, and how the
//! official SDKs interpret the conditions.

use std::time::Duration;

use fe2o3_amqp::connection::{ConnectionStopReason, OpenError};
use fe2o3_amqp::link::{
    DetachError, LinkStateError, ReceiverAttachError, RecvError, SendError, SenderAttachError, SessionStopReason,
};
use fe2o3_amqp::session::BeginError;
use fe2o3_amqp::transport;
use fe2o3_amqp_types::definitions;
use serde_amqp::Value;

use crate::error::Cause;
use crate::services::PeekError;

/// How long to send nothing to a busy namespace. The service asks for ten seconds ("wait 10 seconds and try again"), and the
/// .NET SDK waits as long.
pub(super) const BUSY_PAUSE: Duration = Duration::from_secs(10);

pub(super) const NO_AMQP: &str = "what answers there does not speak AMQP";

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The namespace is throttled: send it nothing for a while.
    Busy,
    /// The service missed its own deadline: request less, once.
    ServerTimeout(Cause),
    /// The token does not authorize the entity: put one for the entity itself, once.
    Unauthorized(Cause),
    /// There is no token: nothing was sent.
    NoToken(Cause),
    /// The service will refuse it until somebody changes the subscription.
    Misconfigured(Cause),
    /// The reply does not fit the link: request less.
    ReplyTooLarge,
    /// The link or its session is gone: open another, once.
    LinkLost(Cause),
    /// The connection is gone: open another, once.
    ConnectionLost(Cause),
    Garbled(Cause),
}

impl Failure {
    /// Interprets the condition and the status of a refusal; either may be missing.
    pub(super) fn refused(condition: &str, status: Option<i64>, description: &str) -> Self {
        let reason = reason(condition, status, description).into();
        match condition {
            "com.microsoft:server-busy" => Self::Busy,
            "com.microsoft:timeout" => Self::ServerTimeout(reason),
            "amqp:unauthorized-access" => Self::Unauthorized(reason),
            "amqp:not-found" | "amqp:not-allowed" | "com.microsoft:entity-disabled" => Self::Misconfigured(reason),
            "amqp:link:message-size-exceeded" => Self::ReplyTooLarge,
            "amqp:link:detach-forced" | "amqp:resource-limit-exceeded" | "amqp:internal-error" => {
                Self::LinkLost(reason)
            }
            "amqp:connection:forced" | "com.microsoft:container-close" => Self::ConnectionLost(reason),
            _ => Self::of_status(status, reason),
        }
    }

    fn of_status(status: Option<i64>, reason: Cause) -> Self {
        match status {
            Some(503) => Self::Busy,
            Some(408) => Self::ServerTimeout(reason),
            Some(401) => Self::Unauthorized(reason),
            Some(403 | 404) => Self::Misconfigured(reason),
            Some(500) => Self::LinkLost(reason),
            _ => Self::Garbled(reason),
        }
    }
}

fn reason(condition: &str, status: Option<i64>, description: &str) -> String {
    let status = status.map(|status| status.to_string());
    let code: Vec<&str> =
        [Some(condition), status.as_deref()].into_iter().flatten().filter(|s| !s.is_empty()).collect();
    match (code.join(", "), description) {
        (code, "") => code,
        (code, description) if code.is_empty() => description.to_owned(),
        (code, description) => format!("{description} ({code})"),
    }
}

impl From<Failure> for PeekError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy { retry_after: BUSY_PAUSE },
            Failure::Unauthorized(reason) => Self::Unauthorized { reason: with_clock_hint(reason) },
            Failure::NoToken(reason) => Self::NoToken { reason },
            Failure::Misconfigured(reason) => Self::Misconfigured { reason },
            Failure::ReplyTooLarge => Self::Unavailable { reason: "a single message is too large to be shown".into() },
            Failure::ServerTimeout(reason)
            | Failure::LinkLost(reason)
            | Failure::ConnectionLost(reason)
            | Failure::Garbled(reason) => Self::Unavailable { reason },
        }
    }
}

/// A token's expiry is an absolute time, so a wrong clock looks like an old token.
fn with_clock_hint(reason: Cause) -> Cause {
    let is_expired = reason.to_string().to_ascii_lowercase().contains("expired");
    if is_expired { Cause::new(Expired(reason)) } else { reason }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}; is this machine's clock right?")]
struct Expired(#[source] Cause);

impl From<definitions::Error> for Failure {
    fn from(error: definitions::Error) -> Self {
        Self::refused(&condition(&error), None, error.description.as_deref().unwrap_or_default())
    }
}

/// An AMQP error as the service's own words and the condition, where fe2o3-amqp shows its `Debug`.
fn words(error: &definitions::Error) -> String {
    reason(&condition(error), None, error.description.as_deref().unwrap_or_default())
}

fn condition(error: &definitions::Error) -> String {
    match serde_amqp::to_value(&error.condition) {
        Ok(Value::Symbol(symbol)) => symbol.to_string(),
        _ => String::new(),
    }
}

impl From<SessionStopReason> for Failure {
    fn from(reason: SessionStopReason) -> Self {
        let ended = match reason {
            SessionStopReason::ConnectionStopped(reason) => return reason.into(),
            SessionStopReason::RemoteEndedWithError(error) => {
                format!("the service ended the session: {}", words(&error))
            }
            SessionStopReason::RemoteEnded => "the service ended the session".to_owned(),
            SessionStopReason::EndedWithError(error) => format!("the session was ended: {}", words(&error)),
            SessionStopReason::Ended => "the session was ended".to_owned(),
        };
        Self::LinkLost(ended.into())
    }
}

impl From<ConnectionStopReason> for Failure {
    fn from(reason: ConnectionStopReason) -> Self {
        let closed = match reason {
            ConnectionStopReason::RemoteClosedWithError(error) => match Self::from(error.clone()) {
                refused @ (Self::Busy | Self::Unauthorized(_)) => return refused,
                _ => format!("the service closed the connection: {}", words(&error)),
            },
            ConnectionStopReason::ClosedWithError(error) => format!("the connection was closed: {}", words(&error)),
            ConnectionStopReason::RemoteClosed => "the service closed the connection".to_owned(),
            // The library also says this when the socket failed.
            ConnectionStopReason::Closed => "the connection was interrupted".to_owned(),
        };
        Self::ConnectionLost(closed.into())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection was interrupted")]
struct Interrupted(#[source] std::io::Error);

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let cause = match error {
            OpenError::RemoteClosedWithError(error) => {
                return ConnectionStopReason::RemoteClosedWithError(error).into();
            }
            OpenError::RemoteClosed => return ConnectionStopReason::RemoteClosed.into(),
            OpenError::Io(error) | OpenError::TransportError(transport::Error::Io(error)) => {
                Cause::new(Interrupted(error))
            }
            // The library says this when a connection ends too early.
            OpenError::IllegalState => "the connection was interrupted".into(),
            OpenError::ProtocolHeaderMismatch(_) => NO_AMQP.into(),
            OpenError::SaslError { .. } => "the service refuses to begin without a password (SASL)".into(),
            other => Cause::new(other),
        };
        Self::ConnectionLost(cause)
    }
}

impl From<BeginError> for Failure {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::ConnectionStopped(reason) => reason.into(),
            BeginError::RemoteEndedWithError(error) => error.into(),
            other => Self::ConnectionLost(Cause::new(other)),
        }
    }
}

impl From<SenderAttachError> for Failure {
    fn from(error: SenderAttachError) -> Self {
        match error {
            SenderAttachError::SessionStopped(reason) => reason.into(),
            SenderAttachError::RemoteClosedWithError(error) => error.into(),
            other => Self::LinkLost(Cause::new(other)),
        }
    }
}

impl From<ReceiverAttachError> for Failure {
    fn from(error: ReceiverAttachError) -> Self {
        match error {
            ReceiverAttachError::SessionStopped(reason) => reason.into(),
            ReceiverAttachError::RemoteClosedWithError(error) => error.into(),
            other => Self::LinkLost(Cause::new(other)),
        }
    }
}

impl From<DetachError> for Failure {
    fn from(error: DetachError) -> Self {
        match error {
            DetachError::SessionStopped(reason) => reason.into(),
            DetachError::RemoteDetachedWithError(error) | DetachError::RemoteClosedWithError(error) => error.into(),
            other => Self::LinkLost(Cause::new(other)),
        }
    }
}

impl From<LinkStateError> for Failure {
    fn from(error: LinkStateError) -> Self {
        match error {
            LinkStateError::SessionStopped(reason) => reason.into(),
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error) => {
                error.into()
            }
            other => Self::LinkLost(Cause::new(other)),
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::LinkStateError(error) => error.into(),
            SendError::Detached(error) => error.into(),
            other => Self::Garbled(Cause::new(other)),
        }
    }
}

impl From<RecvError> for Failure {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::LinkStateError(error) => error.into(),
            RecvError::MessageSizeExceeded(_) => Self::ReplyTooLarge,
            RecvError::MessageDecode(error) => {
                Self::Garbled(format!("a reply could not be decoded: {}", error.source).into())
            }
            other => Self::Garbled(Cause::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::definitions::{AmqpError, ErrorCondition};
    use serde_amqp::primitives::Symbol;

    use super::*;

    #[test]
    fn a_condition_counts_for_more_than_a_status() {
        let busy = Failure::refused("com.microsoft:server-busy", Some(500), "");
        assert_eq!(busy, Failure::Busy);
        let disabled = Failure::refused("com.microsoft:entity-disabled", Some(400), "It is disabled.");
        assert_eq!(disabled, Failure::Misconfigured("It is disabled. (com.microsoft:entity-disabled, 400)".into()));
    }

    #[test]
    fn a_status_alone_is_understood() {
        assert_eq!(Failure::refused("", Some(503), ""), Failure::Busy);
        assert_eq!(Failure::refused("", Some(408), ""), Failure::ServerTimeout("408".into()));
        assert_eq!(Failure::refused("", Some(401), "no"), Failure::Unauthorized("no (401)".into()));
        assert_eq!(Failure::refused("", Some(404), "gone"), Failure::Misconfigured("gone (404)".into()));
        assert_eq!(Failure::refused("x:unknown", Some(418), ""), Failure::Garbled("x:unknown, 418".into()));
    }

    #[test]
    fn conditions_of_the_standard_and_of_the_service_are_read_from_a_detach() {
        let refused = |condition: ErrorCondition| Failure::from(definitions::Error::new(condition, None, None));
        let unauthorized = Failure::Unauthorized("amqp:unauthorized-access".into());
        assert_eq!(refused(AmqpError::UnauthorizedAccess.into()), unauthorized);
        assert_eq!(refused(ErrorCondition::Custom(Symbol::from("com.microsoft:server-busy"))), Failure::Busy);
    }

    #[test]
    fn an_expired_token_makes_one_think_of_the_clock() {
        let error = PeekError::from(Failure::Unauthorized("ExpiredToken".into()));
        assert_eq!(error, PeekError::Unauthorized { reason: "ExpiredToken; is this machine's clock right?".into() });
        let error = PeekError::from(Failure::Unauthorized("InvalidSignature".into()));
        assert_eq!(error, PeekError::Unauthorized { reason: "InvalidSignature".into() });
    }
}
