//! What a pass needs from outside services: a small trait for each, which a fake can implement, and their errors.

mod arm_error;
mod peek_error;
mod topic;

use std::collections::BTreeMap;
use std::future::Future;

use time::OffsetDateTime;

pub use self::arm_error::{ArmError, Refusal};
pub use self::peek_error::PeekError;
pub use self::topic::{ListedSubscription, ListedTopic, MessageCounts, Unserved};

use crate::container_group::{ContainerGroup, GroupName, GroupSpec, Ownership};
use crate::message::{PeekedMessage, SubscriptionName};

#[derive(Debug)]
pub struct Services<G, S, M> {
    pub groups: G,
    pub subscriptions: S,
    pub messages: M,
}

/// Container groups in one resource group.
pub trait ContainerGroups: Send + Sync {
    /// A list does not have the containers' states; [`ContainerGroups::get`] has.
    fn list(&self) -> impl Future<Output = Result<ListedGroups, ArmError>> + Send;

    /// One group with its containers' states, or `None` if no group has the name.
    fn get(&self, name: &GroupName) -> impl Future<Output = Result<Option<ContainerGroup>, ArmError>> + Send;

    /// Requests a group; it does not wait for the group to start.
    fn create(&self, spec: &GroupSpec) -> impl Future<Output = Result<Accepted, ArmError>> + Send;

    /// Requests that a group be deleted. If it is already gone, that is a success.
    fn delete(&self, name: &GroupName) -> impl Future<Output = Result<Accepted, ArmError>> + Send;

    /// Replaces all tags of a group and changes nothing else: it keeps running.
    fn tag(
        &self,
        name: &GroupName,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), ArmError>> + Send;

    /// The last `tail` lines of a container's output.
    fn logs(
        &self,
        name: &GroupName,
        container: &str,
        tail: u32,
    ) -> impl Future<Output = Result<String, ArmError>> + Send;
}

#[derive(Clone, Debug, Default)]
pub struct ListedGroups {
    /// All groups that are not [`Ownership::Foreign`].
    pub groups: Vec<ContainerGroup>,
    /// Azure's time, if the answer has it.
    pub time: Option<OffsetDateTime>,
}

/// Azure has accepted a create or a delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many more creates and deletes together the service accepts for now, if it says so.
    pub remaining: Option<u32>,
    /// Who owns the created group by the tags in the answer: a policy may have rewritten the requested ones.
    pub ownership: Option<Ownership>,
}

pub trait Subscriptions: Send + Sync {
    /// All of them, and what is known about the topic. It is not a failure if nothing is.
    fn list(&self) -> impl Future<Output = Result<ListedTopic, ArmError>> + Send;
}

/// The messages of the topic's subscriptions.
pub trait Messages: Send + Sync {
    type Peeker: Peeker;

    /// Connects to the namespace.
    fn connect(&self) -> impl Future<Output = Result<Self::Peeker, PeekError>> + Send;

    /// Closes a connection that a peeker may have kept for the next one.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A connection that peeks. It never settles, locks or receives anything.
pub trait Peeker: Send + Sync {
    /// The subscriptions that the last peeker was used for, if this one uses its connection.
    fn familiar(&self) -> Vec<SubscriptionName> {
        Vec::new()
    }

    /// At most `count` messages of a subscription, from `from_sequence_number` on.
    ///
    /// A short page proves nothing. An empty page means that there are no more messages, unless the topic is partitioned or
    /// sessions are required: then any broker may answer, with any messages.
    fn peek(
        &self,
        subscription: &SubscriptionName,
        from_sequence_number: i64,
        count: u32,
    ) -> impl Future<Output = Result<Vec<PeekedMessage>, PeekError>> + Send;

    /// Ends the peeking. A connection in good state may be kept for the next peeker.
    fn close(self) -> impl Future<Output = ()> + Send;
}
