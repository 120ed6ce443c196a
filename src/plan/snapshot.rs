//! What a pass has observed: the input of a plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::container_group::ContainerGroup;
use crate::message::{MessageAddress, PeekedMessage, SubscriptionName};
use crate::services::{ArmError, PeekError};

#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The managed container groups.
    pub groups: Vec<ObservedGroup>,
    /// The subscriptions that are not skipped.
    pub subscriptions: Vec<ObservedSubscription>,
    pub skipped_subscriptions: Vec<SubscriptionName>,
}

/// A managed container group, as far as it could be read.
#[derive(Clone, Debug)]
pub struct ObservedGroup {
    pub group: Arc<ContainerGroup>,
    /// Why the states of its containers are not known, if they should be.
    pub unread: Option<ArmError>,
}

/// A subscription and what was peeked in it.
#[derive(Clone, Debug)]
pub struct ObservedSubscription {
    pub name: SubscriptionName,
    /// In the order of the subscription, then those that were looked up one by one.
    pub messages: Vec<PeekedMessage>,
    pub read: Read,
    /// No message up to this sequence number is missing from the messages; `i64::MAX` when they go to the end.
    pub covered_to: i64,
    /// Sequence numbers at which a peek of their own has found nothing.
    pub absent: BTreeSet<i64>,
}

/// How far a subscription was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    ToTheEnd,
    /// Until there were enough new messages for all free slots, or to the depth that is set.
    FarEnough,
    /// Until this went wrong: what was not read is unknown, not absent.
    Failed(PeekError),
}

impl ObservedSubscription {
    pub(crate) fn address_of(&self, message: &PeekedMessage) -> MessageAddress {
        MessageAddress {
            subscription: self.name.clone(),
            sequence_number: message.sequence_number,
            message_id: message.message_id.as_ref().ok().cloned(),
        }
    }
}
