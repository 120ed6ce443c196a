//! Malformed answers of Azure Resource Manager.

use crate::container_group::InvalidName;
use crate::error::Cause;
use crate::services::ArmError;

#[derive(Debug, thiserror::Error)]
pub(super) enum BadAnswer {
    #[error("an answer is malformed")]
    Body(#[source] serde_json::Error),
    #[error("a page of a list is malformed")]
    Page(#[source] serde_json::Error),
    #[error("the link to a next page is not an address")]
    Link(#[source] url::ParseError),
    #[error("a container group has the name {name:?}")]
    GroupName {
        name: String,
        #[source]
        error: InvalidName,
    },
    #[error("a subscription in the list has no name")]
    NamelessSubscription,
    #[error("the identity that ACI_IDENTITY names is shown without a client id")]
    NoClientId,
}

impl From<BadAnswer> for ArmError {
    fn from(answer: BadAnswer) -> Self {
        Self::unavailable(Cause::new(answer))
    }
}
