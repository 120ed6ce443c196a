//! What a pass asks of the services outside: a trait for each, small enough for a fake.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use crate::container_group::{ContainerGroup, GroupName, GroupSpec};
use crate::message::{PeekedMessage, SubscriptionName};

/// The services that a scaler works with.
#[derive(Debug)]
pub struct Services<G, S, M> {
    pub groups: G,
    pub subscriptions: S,
    pub messages: M,
}

/// Container groups in one resource group.
pub trait ContainerGroups: Send + Sync {
    /// All managed groups. Their containers' states are not in a list: those come from [`ContainerGroups::get`].
    fn list(&self) -> impl Future<Output = Result<Vec<ContainerGroup>, ArmError>> + Send;

    /// One group with its containers' states, or nothing if there is none of that name.
    fn get(&self, name: &GroupName) -> impl Future<Output = Result<Option<ContainerGroup>, ArmError>> + Send;

    /// Asks for a group to be made; it does not wait for it to start.
    fn create(&self, spec: &GroupSpec) -> impl Future<Output = Result<Accepted, ArmError>> + Send;

    /// Asks for a group to be deleted. One that is not there any more is a success.
    fn delete(&self, name: &GroupName) -> impl Future<Output = Result<Accepted, ArmError>> + Send;

    /// Replaces all tags of a group, and nothing else of it: it goes on running.
    fn tag(
        &self,
        name: &GroupName,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), ArmError>> + Send;

    /// The last `tail` lines that a container has printed.
    fn logs(
        &self,
        name: &GroupName,
        container: &str,
        tail: u32,
    ) -> impl Future<Output = Result<String, ArmError>> + Send;
}

/// Azure has accepted a create or a delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many more creates and deletes, counted together, the service will take for now, if it said so.
    pub remaining: Option<u32>,
}

/// The subscriptions of the topic.
pub trait Subscriptions: Send + Sync {
    /// Their names.
    fn list(&self) -> impl Future<Output = Result<Vec<SubscriptionName>, ArmError>> + Send;
}

/// The messages of the topic's subscriptions.
pub trait Messages: Send + Sync {
    /// One connection's worth of looking.
    type Peeker: Peeker;

    /// Connects to the namespace.
    fn connect(&self) -> impl Future<Output = Result<Self::Peeker, PeekError>> + Send;

    /// Ends, in an orderly way, what a peeker may have left for the next one.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A connection that peeks. Nothing is ever settled, locked or received.
pub trait Peeker: Send + Sync {
    /// The subscriptions that the last peeker was used for, if this one goes on from where it left off.
    fn familiar(&self) -> Vec<SubscriptionName> {
        Vec::new()
    }

    /// At most `count` messages of a subscription, from `from_sequence_number` on, in order.
    ///
    /// A short page proves nothing; an empty one says that there are no more.
    fn peek(
        &self,
        subscription: &SubscriptionName,
        from_sequence_number: i64,
        count: u32,
    ) -> impl Future<Output = Result<Vec<PeekedMessage>, PeekError>> + Send;

    /// Ends the peeking. The connection may be left for the next peeker, if there is nothing wrong with it.
    fn close(self) -> impl Future<Output = ()> + Send;
}

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
