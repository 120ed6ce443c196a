//! What a pass has observed: the input of a plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::container_group::ContainerGroup;
use crate::message::{MessageAddress, PeekedMessage, SubscriptionName};
use crate::services::{ArmError, MessageCounts, PeekError, Unserved};

#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The managed container groups.
    pub groups: Vec<ObservedGroup>,
    /// The subscriptions that are neither skipped nor unserved.
    pub subscriptions: Vec<ObservedSubscription>,
    pub skipped_subscriptions: Vec<SubscriptionName>,
    pub unserved_subscriptions: Vec<UnservedSubscription>,
    /// Whether the clocks that should say what time it is differ, so that no age counts.
    pub time_is_doubtful: bool,
}

/// A managed container group, as far as it is known.
#[derive(Clone, Debug)]
pub struct ObservedGroup {
    pub group: Arc<ContainerGroup>,
    pub look: Look,
}

/// Whether the states of a group's containers are known, as far as there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// They are, from this pass or an earlier one.
    Done,
    /// It has not been its turn yet.
    NotYet,
    /// They are not, although they should be. It may not even be there: it may only have been asked for.
    Failed(ArmError),
}

/// A subscription from which no worker can be served, so that its messages are unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnservedSubscription {
    pub name: SubscriptionName,
    pub reason: Unserved,
    pub counts: Option<MessageCounts>,
}

/// A subscription and what was peeked in it.
#[derive(Clone, Debug)]
pub struct ObservedSubscription {
    pub name: SubscriptionName,
    /// How many messages there are in it, if the service says so. The counts lag.
    pub counts: Option<MessageCounts>,
    /// The oldest first, then those that were looked up one by one. Where they come in no order, see
    /// [`super::Reading::put_in_order`].
    pub messages: Vec<PeekedMessage>,
    pub read: Read,
    /// No message up to this sequence number is missing from the messages; `i64::MAX` when they go to the end. On a
    /// partitioned topic, and where sessions are required, it is 0: no read proves that anything is missing.
    pub covered_to: i64,
    /// Sequence numbers at which a peek of their own has found nothing.
    pub absent: BTreeSet<i64>,
}

/// How far a subscription was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// On a partitioned topic, and where sessions are required, this takes as many messages as the service counts.
    ToTheEnd,
    /// Until there were enough new messages for all free slots, or to the depth that is set, or until no more were found
    /// although the service counts more.
    FarEnough,
    /// Until this went wrong: what was not read is unknown, not absent.
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
    /// It turns out that no read proves that anything is missing.
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
