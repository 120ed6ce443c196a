//! Why Azure Resource Manager did not do what it was asked.

use std::time::Duration;

/// Why Azure Resource Manager did not do what it was asked; each variant is a thing to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArmError {
    /// Ask for less, and not before `retry_after`.
    #[error("Azure is throttling requests ({code}), for {} s", retry_after.as_secs())]
    Throttled {
        /// The service's code.
        code: String,
        /// How long nothing should be asked.
        retry_after: Duration,
    },
    /// The region or the subscription has no room: create nothing more in this pass.
    #[error("Azure has no room for another container group ({code}): {message}")]
    NoCapacity {
        /// The service's code.
        code: String,
        /// What the service says.
        message: String,
    },
    /// The region has no room for a group of this size: create none as large in this pass.
    #[error("Azure has no room for a container group of this size ({code}): {message}")]
    NoRoomForSize {
        /// The service's code.
        code: String,
        /// What the service says.
        message: String,
    },
    /// Grant the scaler's identity a role, or mend its credentials.
    #[error("Azure refuses the scaler's identity ({code}): {message}")]
    Unauthorized {
        /// The service's code.
        code: String,
        /// What the service says.
        message: String,
    },
    /// The resource (or the resource group, by its code) does not exist.
    #[error("it was not found ({code}): {message}")]
    NotFound {
        /// The service's code.
        code: String,
        /// What the service says.
        message: String,
    },
    /// Another operation is under way: try again at the next pass.
    #[error("Azure is busy with it ({code}): {message}")]
    Busy {
        /// The service's code.
        code: String,
        /// What the service says.
        message: String,
    },
    /// The request will be refused again until a setting changes.
    #[error("Azure refuses the request ({code}): {message}")]
    Rejected {
        /// The service's code.
        code: String,
        /// What the service says.
        message: String,
    },
    /// No answer, or not one that could be used; whether anything happened is not known.
    #[error("Azure did not answer: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
}
