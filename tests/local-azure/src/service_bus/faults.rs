//! Faults that tests put into the Service Bus.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::broker::entity::Entity;

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    scope: Scope,
    operation: Operation,
    effect: Effect,
    /// How often yet; for ever if there is no number.
    remaining: Option<u32>,
}

impl Fault {
    /// Something that goes wrong everywhere, from now on.
    pub fn new(operation: Operation, effect: Effect) -> Self {
        Self { scope: Scope::Namespace, operation, effect, remaining: None }
    }

    /// Only for one subscription (and its dead-letter queue).
    ///
    /// [`Operation::Connect`], [`Operation::PutToken`] and [`Operation::Send`] are not about a subscription: such a fault
    /// never happens.
    #[must_use]
    pub fn of_subscription(mut self, topic: &str, name: &str) -> Self {
        self.scope = Scope::Subscription { topic: topic.to_lowercase(), name: name.to_lowercase() };
        self
    }

    /// Only so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.remaining = Some(times);
        self
    }
}

#[derive(Clone, Debug)]
enum Scope {
    Namespace,
    Subscription { topic: String, name: String },
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// How it goes wrong. Several effects on one operation add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The answer comes late.
    Delay(Duration),
    /// No answer ever comes.
    Hang,
    /// The answer is a refusal.
    Refuse {
        /// The status of a reply to a request; of no use elsewhere.
        status: i32,
        /// The condition, such as `com.microsoft:server-busy`.
        condition: String,
        /// The text with it.
        description: String,
    },
    /// The connection's socket is closed instead of an answer.
    DropConnection,
    /// The link is detached instead of an answer.
    DetachLink {
        /// The condition, such as `amqp:link:detach-forced`.
        condition: String,
        /// The text with it.
        description: String,
    },
    /// The reply's body is no AMQP.
    UndecodableReply,
    /// The reply is to a request that nobody made.
    WrongCorrelationId,
    /// Every message in a page is cut short in its properties.
    TruncatedMessages,
    /// A page has at most so many messages.
    PageLimit(usize),
    /// Whatever a page is asked to start from, it is the first one.
    RepeatFirstPage,
}

impl Effect {
    /// A refusal.
    pub fn refuse(status: i32, condition: &str) -> Self {
        let description = format!("The local Service Bus was told to answer {status} {condition}.");
        Self::Refuse { status, condition: condition.to_owned(), description }
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

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The effects on one operation that happens now.
    pub(crate) fn happen(&self, operation: Operation, entity: Option<&Entity>) -> Effects {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut effects = Vec::new();
        for fault in faults.iter_mut() {
            if fault.operation == operation && fault.scope.covers(entity) && fault.remaining != Some(0) {
                fault.remaining = fault.remaining.map(|times| times - 1);
                effects.push(fault.effect.clone());
            }
        }
        Effects(effects)
    }
}

/// What one operation suffers.
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

    pub(crate) fn page_limit(&self) -> usize {
        let limits = self.iter().filter_map(|effect| match effect {
            Effect::PageLimit(limit) => Some(*limit),
            _ => None,
        });
        limits.min().unwrap_or(usize::MAX)
    }
}

impl Scope {
    fn covers(&self, entity: Option<&Entity>) -> bool {
        match (self, entity) {
            (Self::Namespace, _) => true,
            (Self::Subscription { topic, name }, Some(Entity::Subscription(path))) => {
                path.topic.to_lowercase() == *topic && path.name.to_lowercase() == *name
            }
            _ => false,
        }
    }
}
