//! Errors of requests to Azure Resource Manager.

use std::fmt;
use std::time::Duration;

use crate::error::Cause;

/// Why a request to Azure Resource Manager failed. Each variant says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArmError {
    /// Ask for less, and not before `retry_after`.
    #[error("Azure is throttling requests ({code}), for {} s", retry_after.as_secs())]
    Throttled { code: String, retry_after: Duration },
    /// The region or the subscription has no room: create nothing more in this pass.
    #[error("Azure has no room for another container group {0}")]
    NoCapacity(Refusal),
    /// The region has no room for a group of this size: create none as large in this pass.
    #[error("Azure has no room for a container group of this size {0}")]
    NoRoomForSize(Refusal),
    /// Grant the scaler's identity a role, or fix its credentials.
    #[error("Azure refuses the scaler's identity {0}")]
    Unauthorized(Refusal),
    /// Fix the scaler's identity: nothing was sent, because there is no token.
    #[error("{0}")]
    NoToken(#[source] Cause),
    /// The resource (or the resource group, by its code) does not exist.
    #[error("it was not found {0}")]
    NotFound(Refusal),
    /// It existed a moment ago: wait until a list shows what became of it.
    #[error("it has just gone")]
    JustGone,
    /// Another operation is under way: try again at the next pass.
    #[error("Azure is busy with it {0}")]
    Busy(Refusal),
    /// The request will be refused again until a setting changes.
    #[error("Azure refuses the request {0}")]
    Rejected(Refusal),
    /// Azure itself failed; whether it did anything is unknown.
    #[error("Azure failed to do it {0}")]
    Failed(Refusal),
    /// No answer, or no usable one; whether Azure did anything is unknown.
    #[error("Azure did not answer: {reason}")]
    Unavailable {
        #[source]
        reason: Cause,
    },
}

/// What Azure says when it refuses something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    /// How many more creates and deletes together the service accepts for now, if it says so.
    pub remaining: Option<u32>,
}

/// Codes of refusals that concern one request's content (sizes, tags) and no other request.
const ABOUT_REQUEST: [&str; 4] = [
    "ResourceLimitsLessThanRequests",
    "ResourceSomeRequestsNotSpecified",
    "ResourceRequestsNotSupported",
    "InvalidTag",
];

impl ArmError {
    pub fn unavailable(reason: impl Into<Cause>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    /// Azure's code, if the answer has one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Throttled { code, .. } => Some(code),
            _ => self.refusal().map(|refusal| refusal.code.as_str()),
        }
    }

    /// Whether the request may still have been, or still be, carried out.
    pub fn leaves_in_doubt(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Unavailable { .. })
    }

    /// How many more creates and deletes the service accepts for now, if the refusal says so.
    pub fn remaining(&self) -> Option<u32> {
        self.refusal()?.remaining
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NoCapacity(refusal)
            | Self::NoRoomForSize(refusal)
            | Self::Unauthorized(refusal)
            | Self::NotFound(refusal)
            | Self::Busy(refusal)
            | Self::Rejected(refusal)
            | Self::Failed(refusal) => Some(refusal),
            Self::Throttled { .. } | Self::NoToken(_) | Self::JustGone | Self::Unavailable { .. } => None,
        }
    }
}

impl Refusal {
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), remaining: None }
    }

    /// Whether it concerns this request's content, and not requests for other messages.
    pub fn is_about_request(&self) -> bool {
        ABOUT_REQUEST.iter().any(|code| self.code.to_ascii_lowercase().starts_with(&code.to_ascii_lowercase()))
    }
}

impl fmt::Display for Refusal {
    /// Continues the sentence about what was refused.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}): {}", self.code, self.message)
    }
}
