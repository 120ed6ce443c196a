//! What Azure Resource Manager says of a topic and its subscriptions.

use std::fmt;

use crate::message::SubscriptionName;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedTopic {
    pub subscriptions: Vec<ListedSubscription>,
    /// Whether several brokers have a part of its messages each, as far as that could be found out.
    pub is_partitioned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSubscription {
    pub name: SubscriptionName,
    /// Why nothing can be peeked in it, if that is so.
    pub unserved: Option<Unserved>,
    /// Whether a peek, which is of no session, need not show all of its messages.
    pub requires_session: bool,
    /// How many messages there are in it, if the list says so. The counts lag.
    pub counts: Option<MessageCounts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageCounts {
    /// Those that receivers hold included.
    pub active: u64,
    pub dead_letters: u64,
}

/// Why no worker can be served from a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unserved {
    Disabled,
    /// It takes messages in and gives none out.
    ReceiveDisabled,
    Forwards {
        /// A topic or a queue.
        to: String,
    },
}

impl ListedSubscription {
    /// One of which nothing is known but its name.
    pub fn new(name: impl Into<SubscriptionName>) -> Self {
        Self { name: name.into(), unserved: None, requires_session: false, counts: None }
    }
}

impl fmt::Display for Unserved {
    /// Reads on after the subscription's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("it is disabled"),
            Self::ReceiveDisabled => f.write_str("receiving from it is disabled"),
            Self::Forwards { to } => write!(f, "it forwards its messages to {to}"),
        }
    }
}
