//! A Service Bus message as the scaler sees it: its identity and the size of its file. The scaler never reads bodies.

mod address;
mod file_size;

use time::OffsetDateTime;

pub use address::{MessageAddress, MessageId, SubscriptionName};
pub use file_size::FileSizeMb;

/// Why a message cannot be given a container group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// The message has no id, so its container group could have no name of its own.
    #[error("it has no message id; every message needs one, unique within its subscription")]
    NoMessageId,
    /// The id is too long for the group's tag `message_id`.
    #[error("its message id has {chars} characters; at most {} are accepted", MessageId::MAX_CHARS)]
    MessageIdTooLong {
        /// Length of the id.
        chars: usize,
    },
    /// The application property is missing.
    #[error("it has no application property file_size_mb; a number of MiB is needed")]
    NoFileSize,
    /// The property is neither a number nor a numeric string.
    #[error("its file_size_mb is {found}; a number of MiB is needed, or a string that holds one")]
    FileSizeNotANumber {
        /// What it is.
        found: String,
    },
    /// The number is infinite or not a number.
    #[error("its file_size_mb is {value}; a finite number of MiB is needed")]
    FileSizeNotFinite {
        /// The number.
        value: String,
    },
    /// The number is below zero.
    #[error("its file_size_mb is {value}; it must not be negative")]
    FileSizeNegative {
        /// The number.
        value: String,
    },
    /// The message is not valid AMQP; only its sequence number could be read.
    #[error("it could not be decoded: {reason}")]
    Undecodable {
        /// What the decoder said.
        reason: String,
    },
}

/// The broker's state of a message (`x-opt-message-state`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageState {
    /// Waiting, or locked by a receiver: a peek does not show which.
    #[default]
    Active,
    /// Deferred by a receiver, which must fetch it by its sequence number.
    Deferred,
    /// Not yet due.
    Scheduled,
}

/// The topic's partition with a message: the upper 16 bits of its sequence number, which are 0 unless the topic is
/// partitioned. Ids need not be small or consecutive (azure-service-bus#239).
pub fn partition_of(sequence_number: i64) -> i64 {
    sequence_number >> 48
}

/// A message as a peek shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeekedMessage {
    /// Its place in the subscription: unique, and ascending within a partition.
    pub sequence_number: i64,
    /// Its id, or why it has no valid one.
    pub message_id: Result<MessageId, InvalidMessage>,
    /// Its file size, or why it has no valid one.
    pub file_size_mb: Result<FileSizeMb, InvalidMessage>,
    /// Its state at the broker.
    pub state: MessageState,
    /// When it arrived, if the broker says so.
    pub enqueued_at: Option<OffsetDateTime>,
    /// When it expires, if it does.
    pub expires_at: Option<OffsetDateTime>,
}
