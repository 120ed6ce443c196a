//! What a pass observed: the input of a plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::container_group::ContainerGroup;
use crate::message::{MessageAddress, PeekedMessage, SubscriptionName};
use crate::services::{ArmError, MessageCounts, PeekError, Unserved};

#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The scaler's container groups.
    pub groups: Vec<ObservedGroup>,
    /// The subscriptions that are neither skipped nor unserved.
    pub subscriptions: Vec<ObservedSubscription>,
    pub skipped_subscriptions: Vec<SubscriptionName>,
    pub unserved_subscriptions: Vec<UnservedSubscription>,
    /// Whether this machine's clock and Azure's disagree, so that no age counts.
    pub time_is_doubtful: bool,
}

/// One of the scaler's container groups, as far as it is known.
#[derive(Clone, Debug)]
pub struct ObservedGroup {
    pub group: Arc<ContainerGroup>,
    pub look: Look,
}

/// Whether the states of a group's containers are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// They are, from this pass or an earlier one.
    Done,
    /// They have not been read yet.
    NotYet,
    /// They could not be read. The group may not even exist: perhaps it was only requested.
    Failed(ArmError),
}

/// A subscription from which no worker can receive, so that it is not peeked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnservedSubscription {
    pub name: SubscriptionName,
    pub reason: Unserved,
    pub counts: Option<MessageCounts>,
}

/// A subscription, and what was peeked in it.
#[derive(Clone, Debug)]
pub struct ObservedSubscription {
    pub name: SubscriptionName,
    /// How many messages are in it, if the service says so. The counts lag.
    pub counts: Option<MessageCounts>,
    /// The oldest first, then those that were looked up one by one. For partitions and sessions see
    /// [`super::Reading::put_in_order`].
    pub messages: Vec<PeekedMessage>,
    pub read: Read,
    /// All messages up to this sequence number are in `messages`; `i64::MAX` if the read went to the end. On a partitioned
    /// topic, and where sessions are required, it is 0: no read proves a message missing.
    pub covered_to: i64,
    /// Sequence numbers at which a peek of their own found nothing.
    pub absent: BTreeSet<i64>,
}

/// How far a subscription was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// All of it. On a partitioned topic, and where sessions are required, that means as many messages as the service counts.
    ToTheEnd,
    /// Until there were enough new messages for all free slots, or to `PROVISIONING_PEEK_DEPTH`, or until no more were found although
    /// the service counts more.
    FarEnough,
    /// Until this error. Messages that were not read are unknown, not absent.
    Failed(PeekError),
}

impl Snapshot {
    /// The names of all subscriptions of the topic.
    pub(crate) fn subscription_names(&self) -> impl Iterator<Item = &SubscriptionName> {
        let served = self.subscriptions.iter().map(|subscription| &subscription.name);
        let unserved = self.unserved_subscriptions.iter().map(|subscription| &subscription.name);
        served.chain(unserved).chain(&self.skipped_subscriptions)
    }
}

impl ObservedSubscription {
    /// Marks the read as one that proves no message missing.
    pub(crate) fn uncover(&mut self) {
        self.covered_to = 0;
        if self.read == Read::ToTheEnd {
            self.read = Read::FarEnough;
        }
    }

    pub(crate) fn address_of(&self, message: &PeekedMessage) -> MessageAddress {
        MessageAddress {
            subscription: self.name.clone(),
            sequence_number: message.sequence_number,
            message_id: message.message_id.as_ref().ok().cloned(),
        }
    }
}
