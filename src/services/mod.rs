//! What a pass asks of the services outside: a trait for each, small enough for a fake, and why they fail.

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
    /// Their containers' states are not in a list: those come from [`ContainerGroups::get`].
    fn list(&self) -> impl Future<Output = Result<ListedGroups, ArmError>> + Send;

    /// One group with its containers' states, or nothing if there is none of that name.
    fn get(&self, name: &GroupName) -> impl Future<Output = Result<Option<ContainerGroup>, ArmError>> + Send;

    /// Asks for a group to be made; it does not wait for it to start.
    fn create(&self, spec: &GroupSpec) -> impl Future<Output = Result<Accepted, ArmError>> + Send;

    /// Asks for a group to be deleted. One that is not there any more is a success.
    fn delete(&self, name: &GroupName) -> impl Future<Output = Result<Accepted, ArmError>> + Send;

    /// Replaces all tags of a group, and nothing else of it: it keeps running.
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

#[derive(Clone, Debug, Default)]
pub struct ListedGroups {
    /// All groups that are not [`Ownership::Foreign`].
    pub groups: Vec<ContainerGroup>,
    /// What time it is for Azure, if the answer says so.
    pub time: Option<OffsetDateTime>,
}

/// Azure has accepted a create or a delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many more creates and deletes, counted together, the service will take for now, if it said so.
    pub remaining: Option<u32>,
    /// Whose the created group is by the tags that the answer shows: a policy may have rewritten those that were asked for.
    pub ownership: Option<Ownership>,
}

pub trait Subscriptions: Send + Sync {
    /// All of them, and what is to be known of the topic. That nothing is known of the topic is no failure.
    fn list(&self) -> impl Future<Output = Result<ListedTopic, ArmError>> + Send;
}

/// The messages of the topic's subscriptions.
pub trait Messages: Send + Sync {
    type Peeker: Peeker;

    /// Connects to the namespace.
    fn connect(&self) -> impl Future<Output = Result<Self::Peeker, PeekError>> + Send;

    /// Closes what a peeker may have left for the next one.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A connection that peeks. Nothing is ever settled, locked or received.
pub trait Peeker: Send + Sync {
    /// The subscriptions that the last peeker was used for, if this one uses its connection.
    fn familiar(&self) -> Vec<SubscriptionName> {
        Vec::new()
    }

    /// At most `count` messages of a subscription, from `from_sequence_number` on.
    ///
    /// A short page proves nothing; an empty one says that there are no more, unless the topic is partitioned or
    /// sessions are required. Then a page may be anybody's, and have any messages.
    fn peek(
        &self,
        subscription: &SubscriptionName,
        from_sequence_number: i64,
        count: u32,
    ) -> impl Future<Output = Result<Vec<PeekedMessage>, PeekError>> + Send;

    /// Ends the peeking. The connection may be left for the next peeker, if there is nothing wrong with it.
    fn close(self) -> impl Future<Output = ()> + Send;
}
