//! The requests to Service Bus, in order, for tests that check the whole list of calls.

use std::sync::{Mutex, PoisonError};

/// One thing that a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// It opened a connection.
    Connect,
    /// It put a token.
    PutToken {
        /// The token's audience, as the client wrote it.
        name: String,
    },
    /// It attached a link.
    Attach {
        /// The path of the link's entity, such as `topic/Subscriptions/name/$management`.
        address: String,
        /// Which way messages go.
        direction: Direction,
    },
    /// It sent messages.
    Send {
        /// To this topic.
        topic: String,
        /// This many, in one transfer.
        messages: usize,
    },
    /// It peeked.
    Peek {
        /// Into this entity, such as `topic/Subscriptions/name`.
        entity: String,
        /// From this sequence number on.
        from: i64,
        /// This many messages.
        count: i64,
        /// Without their bodies.
        omit_body: bool,
    },
    /// A receiver of it got a message.
    Receive {
        /// From this entity.
        entity: String,
    },
    /// It settled a message.
    Settle {
        /// In this entity.
        entity: String,
        /// In this way.
        settlement: Settlement,
    },
    /// It requested another operation of the management node.
    Manage {
        /// Of this entity.
        entity: String,
        /// The operation's name.
        operation: String,
    },
}

/// Which way messages go on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The client sends.
    ToService,
    /// The client receives.
    FromService,
}

/// The outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is completed.
    Completed,
    /// It can be received again.
    Abandoned,
    /// It was deferred.
    Deferred,
    /// It went to the dead-letter queue.
    DeadLettered,
    /// Nothing: the lock had expired.
    LockLost,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(crate) struct CallLog(Mutex<Vec<Call>>);

impl CallLog {
    pub(crate) fn record(&self, call: Call) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub(crate) fn snapshot(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
