//! The namespace's state: topics, subscriptions, messages and locks. No I/O and no clock: the time is handed in.

mod config;
pub(crate) mod entity;
mod filter;
pub(crate) mod message;
pub(crate) mod queue;
mod sql;
mod sql_dialect;
mod sql_value;
pub(crate) mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

pub use config::{SubscriptionConfig, SubscriptionStatus};
pub use filter::{CorrelationFilter, Filter, Rule};
pub use message::MalformedMessage;
use message::Message;
pub use sql::{SqlFilter, SqlFilterError};
pub use subscription::StoredMessage;
use subscription::Subscription;

/// Why the namespace did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// There is no such topic.
    #[error("there is no topic {0}")]
    NoSuchTopic(String),
    /// There is no such subscription.
    #[error("there is no subscription {1} of topic {0}")]
    NoSuchSubscription(String, String),
    /// The name is taken.
    #[error("{0} exists already")]
    AlreadyExists(String),
}

/// A namespace. Names of entities are compared without regard to case.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    topics: BTreeMap<String, Topic>,
}

#[derive(Debug, Default)]
struct Topic {
    last_sequence_number: i64,
    subscriptions: BTreeMap<String, Subscription>,
}

impl Broker {
    pub(crate) fn create_topic(&mut self, name: &str) -> Result<(), BrokerError> {
        match self.topics.entry(key(name)) {
            std::collections::btree_map::Entry::Occupied(_) => Err(BrokerError::AlreadyExists(name.to_owned())),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Topic::default());
                Ok(())
            }
        }
    }

    pub(crate) fn create_subscription(&mut self, topic: &str, config: SubscriptionConfig) -> Result<(), BrokerError> {
        match self.topic_mut(topic)?.subscriptions.entry(key(&config.name)) {
            std::collections::btree_map::Entry::Occupied(_) => Err(BrokerError::AlreadyExists(config.name)),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Subscription::new(config));
                Ok(())
            }
        }
    }

    /// Takes a message in for every subscription that a rule lets it into; disabled ones take nothing.
    pub(crate) fn publish(&mut self, topic: &str, message: Message, now: OffsetDateTime) -> Result<(), BrokerError> {
        let topic = self.topic_mut(topic)?;
        topic.last_sequence_number += 1;
        let message = Arc::new(message);
        let view = filter::MessageView::new(&message);
        for subscription in topic.subscriptions.values_mut() {
            let open = subscription.config.status != SubscriptionStatus::Disabled;
            if open && subscription.config.rules.iter().any(|rule| rule.filter.matches(&view)) {
                subscription.enqueue(Arc::clone(&message), topic.last_sequence_number, now);
            }
        }
        Ok(())
    }

    pub(crate) fn has_topic(&self, topic: &str) -> bool {
        self.topics.contains_key(&key(topic))
    }

    /// The subscriptions of a topic, by name.
    pub(crate) fn subscriptions(&self, topic: &str) -> Result<impl Iterator<Item = &Subscription>, BrokerError> {
        let found = self.topics.get(&key(topic)).ok_or_else(|| BrokerError::NoSuchTopic(topic.to_owned()))?;
        Ok(found.subscriptions.values())
    }

    pub(crate) fn subscription(&mut self, topic: &str, name: &str) -> Result<&mut Subscription, BrokerError> {
        let found = self.topic_mut(topic)?.subscriptions.get_mut(&key(name));
        found.ok_or_else(|| BrokerError::NoSuchSubscription(topic.to_owned(), name.to_owned()))
    }

    fn topic_mut(&mut self, topic: &str) -> Result<&mut Topic, BrokerError> {
        self.topics.get_mut(&key(topic)).ok_or_else(|| BrokerError::NoSuchTopic(topic.to_owned()))
    }
}

fn key(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests;
