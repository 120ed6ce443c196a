//! What Azure Resource Manager says about a topic and its subscriptions.

use std::fmt;

use crate::message::SubscriptionName;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedTopic {
    pub subscriptions: Vec<ListedSubscription>,
    /// Whether several brokers each hold part of its messages, as far as is known.
    pub is_partitioned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSubscription {
    pub name: SubscriptionName,
    /// Why it cannot be peeked, if it cannot.
    pub unserved: Option<Unserved>,
    /// Whether a peek, which has no session, may miss messages.
    pub requires_session: bool,
    /// Its number of messages, if the list says so. The counts lag.
    pub counts: Option<MessageCounts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageCounts {
    /// Including messages that receivers hold.
    pub active: u64,
    pub dead_letters: u64,
}

/// Why a subscription can serve no worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unserved {
    Disabled,
    /// It accepts messages and delivers none.
    ReceiveDisabled,
    Forwards {
        /// A topic or a queue.
        to: String,
    },
}

impl ListedSubscription {
    /// A subscription of which only the name is known.
    pub fn new(name: impl Into<SubscriptionName>) -> Self {
        Self { name: name.into(), unserved: None, requires_session: false, counts: None }
    }
}

impl fmt::Display for Unserved {
    /// Continues the sentence after the subscription's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("it is disabled"),
            Self::ReceiveDisabled => f.write_str("receiving from it is disabled"),
            Self::Forwards { to } => write!(f, "it forwards its messages to {to}"),
        }
    }
}
