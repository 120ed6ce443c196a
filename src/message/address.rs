//! The identities of messages, which every other module uses.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::InvalidMessage;

/// The name of a subscription of the topic.
///
/// Service Bus ignores case in names, and so do equality, order and hash here. The name is shown as Azure spells it. Clones
/// share the text.
#[derive(Clone)]
pub struct SubscriptionName(Arc<Spellings>);

struct Spellings {
    given: String,
    lower_case: String,
}

impl SubscriptionName {
    pub fn new(name: impl Into<String>) -> Self {
        let given = name.into();
        Self(Arc::new(Spellings { lower_case: given.to_lowercase(), given }))
    }

    /// The name as Azure spells it.
    pub fn as_str(&self) -> &str {
        &self.0.given
    }

    /// The spelling that equality, order and hash compare.
    pub fn lower_case(&self) -> &str {
        &self.0.lower_case
    }
}

impl PartialEq for SubscriptionName {
    fn eq(&self, other: &Self) -> bool {
        self.lower_case() == other.lower_case()
    }
}

impl Eq for SubscriptionName {}

impl PartialOrd for SubscriptionName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SubscriptionName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.lower_case().cmp(other.lower_case())
    }
}

impl Hash for SubscriptionName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lower_case().hash(state);
    }
}

impl fmt::Debug for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Serialize for SubscriptionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<&str> for SubscriptionName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// Which message of the topic.
///
/// The sequence number distinguishes messages with the same id. The id distinguishes messages with the same number, because
/// numbers start over when a topic is created again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct MessageAddress {
    pub subscription: SubscriptionName,
    pub sequence_number: i64,
    /// Its id, if it has a valid one.
    pub message_id: Option<MessageId>,
}

impl fmt::Display for MessageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message_id {
            Some(id) => write!(f, "Message {id} of {}", self.subscription),
            None => write!(f, "The message with sequence number {} of {}", self.sequence_number, self.subscription),
        }
    }
}

/// A message id in canonical text, unique within its subscription.
///
/// AMQP message ids are strings, ulongs, uuids or binaries (AMQP 1.0 part 3, section 3.2.4). A string stays unchanged, a
/// ulong is written in decimal, a uuid with hyphens in lower case and a binary in lower-case hex.
///
/// Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

impl MessageId {
    /// The longest id that fits a resource tag's value (256 characters); Service Bus itself allows 128.
    pub const MAX_CHARS: usize = 256;

    /// Accepts the canonical text of an id.
    ///
    /// # Errors
    /// If it is empty or longer than [`MessageId::MAX_CHARS`].
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidMessage> {
        let text = text.into();
        match text.chars().count() {
            0 => Err(InvalidMessage::NoMessageId),
            1..=Self::MAX_CHARS => Ok(Self(text.into())),
            chars => Err(InvalidMessage::MessageIdTooLong { chars }),
        }
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_of_subscriptions_have_no_case_and_keep_their_spelling() {
        let names = ["Small", "SMALL", "small"].map(SubscriptionName::from);
        assert_eq!(BTreeSet::from(names.clone()).len(), 1);
        assert_eq!(names.map(|name| name.to_string()), ["Small", "SMALL", "small"]);
        assert_ne!(SubscriptionName::from("small"), SubscriptionName::from("smaller"));
    }

    #[test]
    fn an_id_is_neither_empty_nor_longer_than_a_tag() {
        assert_eq!(MessageId::new(""), Err(InvalidMessage::NoMessageId));
        assert!(MessageId::new("é".repeat(256)).is_ok());
        assert_eq!(MessageId::new("é".repeat(257)), Err(InvalidMessage::MessageIdTooLong { chars: 257 }));
    }
}
