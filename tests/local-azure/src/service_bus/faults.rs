//! Faults that tests put into the Service Bus.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::broker::entity::Entity;
use crate::millis;
use crate::occurrence::Occurrence;

/// A fault of Service Bus.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    operation: Operation,
    effect: Effect,
    /// Everywhere when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<FaultySubscription>,
    #[serde(flatten)]
    occurrence: Occurrence,
}

impl Fault {
    /// A fault that happens everywhere, from now on.
    pub fn new(operation: Operation, effect: Effect) -> Self {
        Self { operation, effect, subscription: None, occurrence: Occurrence::default() }
    }

    /// Only for one subscription (and its dead-letter queue).
    ///
    /// [`Operation::Connect`], [`Operation::PutToken`] and [`Operation::Send`] are not about a subscription: such a fault
    /// never happens.
    #[must_use]
    pub fn of_subscription(mut self, topic: &str, name: &str) -> Self {
        self.subscription = Some(FaultySubscription { topic: topic.to_owned(), name: name.to_owned() });
        self
    }

    /// Only this many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.occurrence = self.occurrence.times(times);
        self
    }

    /// Skips the first operations.
    #[must_use]
    pub fn sparing_first(mut self, spared: u32) -> Self {
        self.occurrence = self.occurrence.sparing_first(spared);
        self
    }

    pub(crate) fn occurring(self, occurrence: Occurrence) -> Self {
        Self { occurrence, ..self }
    }

    /// Only with this probability, between 0 and 1; the same seed chooses the same operations.
    #[must_use]
    pub fn with_probability(mut self, probability: f64, seed: u64) -> Self {
        self.occurrence = self.occurrence.with_probability(probability, seed);
        self
    }
}

#[derive(Clone, Debug, Serialize)]
struct FaultySubscription {
    topic: String,
    name: String,
}

/// The operation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Opening a connection.
    Connect,
    /// Putting a token.
    PutToken,
    /// Attaching a link other than `$cbs`.
    Attach,
    /// Sending.
    Send,
    /// Peeking.
    Peek,
}

/// How it fails. Several effects on one operation add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The answer comes late.
    #[serde(rename = "delay_ms", with = "millis")]
    Delay(Duration),
    /// No answer ever comes.
    Hang,
    /// The answer is a refusal.
    Refuse {
        /// The status of a reply to a request; other answers have none.
        status: i32,
        /// The condition, such as `com.microsoft:server-busy`.
        condition: String,
        /// The text with it.
        #[serde(default)]
        description: String,
    },
    /// The connection's socket is closed instead of an answer.
    DropConnection,
    /// The link is detached instead of an answer.
    DetachLink {
        /// The condition, such as `amqp:link:detach-forced`.
        condition: String,
        /// The text with it.
        #[serde(default)]
        description: String,
    },
    /// The link is attached, with both of its ends, and detached after this time.
    DetachAfterAttach {
        /// The time.
        #[serde(default, rename = "after_ms", with = "millis")]
        after: Duration,
        /// The condition, such as `amqp:unauthorized-access`.
        condition: String,
        /// The text with it.
        #[serde(default)]
        description: String,
    },
    /// A frame that is shorter than its own header comes instead of an answer.
    BrokenFrame,
    /// The reply's body is not AMQP.
    UndecodableReply,
    /// The reply answers a request that the client did not send.
    WrongCorrelationId,
    /// Every message in a page is cut short in its properties.
    TruncatedMessages,
    /// A page has at most this many messages.
    PageLimit(usize),
    /// Every page begins at the front, whatever the request says.
    RepeatFirstPage,
}

impl Effect {
    /// A refusal.
    pub fn refuse(status: i32, condition: &str) -> Self {
        let description = format!("The local Service Bus was told to answer {status} {condition}.");
        Self::Refuse { status, condition: condition.to_owned(), description }
    }

    /// Whether the effect is possible on an operation; otherwise nothing happens.
    pub fn is_of(&self, operation: Operation) -> bool {
        match self {
            Self::Delay(_) | Self::Hang | Self::Refuse { .. } | Self::DropConnection | Self::BrokenFrame => true,
            Self::DetachLink { .. } => matches!(operation, Operation::PutToken | Operation::Send | Operation::Peek),
            Self::DetachAfterAttach { .. } => operation == Operation::Attach,
            Self::UndecodableReply | Self::WrongCorrelationId => {
                matches!(operation, Operation::PutToken | Operation::Peek)
            }
            Self::TruncatedMessages | Self::PageLimit(_) | Self::RepeatFirstPage => operation == Operation::Peek,
        }
    }

    /// What the service answers when it throttles.
    pub fn server_busy() -> Self {
        Self::refuse(503, "com.microsoft:server-busy")
    }
}

/// The faults that are in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn inject(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    pub(crate) fn all(&self) -> Vec<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The effects on the operation that happens now.
    pub(crate) fn happen(&self, operation: Operation, entity: Option<&Entity>) -> Effects {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut effects = Vec::new();
        for fault in faults.iter_mut() {
            let covers = fault.subscription.as_ref().is_none_or(|subscription| subscription.is(entity));
            if fault.operation == operation && covers && fault.occurrence.happens() {
                effects.push(fault.effect.clone());
            }
        }
        Effects(effects)
    }
}

/// All effects on one operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects(Vec<Effect>);

impl Effects {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter()
    }

    pub(crate) fn contains(&self, effect: &Effect) -> bool {
        self.0.contains(effect)
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        let delays = self.iter().filter_map(|effect| match effect {
            Effect::Delay(delay) => Some(*delay),
            _ => None,
        });
        delays.reduce(|sum, delay| sum + delay)
    }

    /// Status, condition and description of a refusal.
    pub(crate) fn refusal(&self) -> Option<(i32, &str, &str)> {
        self.iter().find_map(|effect| match effect {
            Effect::Refuse { status, condition, description } => Some((*status, &**condition, &**description)),
            _ => None,
        })
    }

    /// Condition and description of a forced detach.
    pub(crate) fn forced_detach(&self) -> Option<(&str, &str)> {
        self.iter().find_map(|effect| match effect {
            Effect::DetachLink { condition, description } => Some((&**condition, &**description)),
            _ => None,
        })
    }

    /// How an attached link is to be detached again.
    pub(crate) fn detach_soon(&self) -> Option<DetachSoon> {
        self.iter().find_map(|effect| match effect {
            Effect::DetachAfterAttach { after, condition, description } => {
                Some(DetachSoon { after: *after, condition: condition.clone(), description: description.clone() })
            }
            _ => None,
        })
    }

    pub(crate) fn page_limit(&self) -> usize {
        let limits = self.iter().filter_map(|effect| match effect {
            Effect::PageLimit(limit) => Some(*limit),
            _ => None,
        });
        limits.min().unwrap_or(usize::MAX)
    }
}

/// A detach that follows an attach.
#[derive(Clone, Debug)]
pub(crate) struct DetachSoon {
    pub(crate) after: Duration,
    pub(crate) condition: String,
    pub(crate) description: String,
}

impl FaultySubscription {
    fn is(&self, entity: Option<&Entity>) -> bool {
        let Some(Entity::Subscription(path)) = entity else { return false };
        path.topic.eq_ignore_ascii_case(&self.topic) && path.name.eq_ignore_ascii_case(&self.name)
    }
}
