//! The namespace's state: topics, subscriptions, messages and locks. No I/O and no clock: the time is a parameter.

mod config;
pub(crate) mod entity;
pub(crate) mod filter;
pub(crate) mod message;
mod partitioning;
pub(crate) mod queue;
mod rules;
mod sql;
mod sql_dialect;
mod sql_value;
mod stored_message;
pub(crate) mod subscription;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use time::OffsetDateTime;

pub use config::{SubscriptionConfig, SubscriptionStatus, TopicConfig};
pub use filter::{CorrelationFilter, Filter, Rule};
pub use message::MalformedMessage;
use message::Message;
pub use partitioning::{Partitioning, PeekOrder};
pub use sql::{SqlFilter, SqlFilterError};
pub use stored_message::StoredMessage;
use subscription::Subscription;

/// Why the namespace refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// There is no such topic.
    #[error("there is no topic {0}")]
    NoSuchTopic(String),
    /// There is no such subscription.
    #[error("there is no subscription {1} of topic {0}")]
    NoSuchSubscription(String, String),
    /// There is no such rule.
    #[error("there is no rule {0}")]
    NoSuchRule(String),
    /// The name is taken.
    #[error("{0} exists already")]
    AlreadyExists(String),
}

/// A namespace. It ignores the case of entities' names.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    topics: BTreeMap<String, Topic>,
}

/// A topic and its subscriptions.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) config: TopicConfig,
    pub(crate) created_at: OffsetDateTime,
    last_sequence_number: i64,
    /// The scheduled messages, by number.
    scheduled: BTreeMap<i64, Message>,
    subscriptions: BTreeMap<String, Subscription>,
}

impl Topic {
    /// The scheduled messages.
    pub(crate) fn scheduled(&self) -> usize {
        self.scheduled.len()
    }

    /// Its subscriptions, by name.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.values()
    }
}

impl Broker {
    pub(crate) fn create_topic(&mut self, config: TopicConfig, now: OffsetDateTime) -> Result<(), BrokerError> {
        match self.topics.entry(key(&config.name)) {
            Entry::Occupied(_) => Err(BrokerError::AlreadyExists(config.name)),
            Entry::Vacant(vacant) => {
                let topic = Topic {
                    config,
                    created_at: now,
                    last_sequence_number: 0,
                    scheduled: BTreeMap::new(),
                    subscriptions: BTreeMap::new(),
                };
                vacant.insert(topic);
                Ok(())
            }
        }
    }

    pub(crate) fn create_subscription(
        &mut self,
        topic: &str,
        config: SubscriptionConfig,
        now: OffsetDateTime,
    ) -> Result<(), BrokerError> {
        match self.topic_mut(topic)?.subscriptions.entry(key(&config.name)) {
            Entry::Occupied(_) => Err(BrokerError::AlreadyExists(config.name)),
            Entry::Vacant(vacant) => {
                vacant.insert(Subscription::new(config, now));
                Ok(())
            }
        }
    }

    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<(), BrokerError> {
        let deleted = self.topics.remove(&key(name));
        deleted.map(drop).ok_or_else(|| BrokerError::NoSuchTopic(name.to_owned()))
    }

    pub(crate) fn delete_subscription(&mut self, topic: &str, name: &str) -> Result<(), BrokerError> {
        let deleted = self.topic_mut(topic)?.subscriptions.remove(&key(name));
        deleted.map(drop).ok_or_else(|| BrokerError::NoSuchSubscription(topic.to_owned(), name.to_owned()))
    }

    /// Puts a message into every subscription whose rules accept it; disabled ones accept nothing, and those that
    /// forward pass it on. Returns the message's number in the topic.
    pub(crate) fn publish(&mut self, topic: &str, message: Message, now: OffsetDateTime) -> Result<i64, BrokerError> {
        self.pass_on(topic, &Arc::new(message), now, MAX_HOPS)
    }

    fn pass_on(
        &mut self,
        topic: &str,
        message: &Arc<Message>,
        now: OffsetDateTime,
        hops: usize,
    ) -> Result<i64, BrokerError> {
        let forwards = self.topic(topic)?.subscriptions().any(|subscription| subscription.config.forward_to.is_some());
        let targets: Vec<String> = if forwards { self.topics.keys().cloned().collect() } else { Vec::new() };
        let topic = self.topic_mut(topic)?;
        topic.last_sequence_number += 1;
        let number = topic.last_sequence_number;
        let partition = topic.config.partitioning.as_ref().and_then(|partitioning| partitioning.partition_of(number));
        let time_to_live = [message.time_to_live, topic.config.default_time_to_live].into_iter().flatten().min();
        let view = filter::MessageView::new(message);
        let mut forwarded = Vec::new();
        for subscription in topic.subscriptions.values_mut() {
            let open = subscription.config.status != SubscriptionStatus::Disabled;
            if !open || !subscription.config.rules.iter().any(|rule| rule.filter.matches(&view)) {
                continue;
            }
            match subscription.config.forward_to.as_deref().map(key) {
                Some(target) if hops > 0 && targets.contains(&target) => forwarded.push(target),
                _ => subscription.enqueue(Arc::clone(message), number, partition, time_to_live, now),
            }
        }
        for target in forwarded {
            self.pass_on(&target, message, now, hops - 1)?;
        }
        Ok(number)
    }

    /// Keeps a message until it is released. Returns its number.
    pub(crate) fn schedule(&mut self, topic: &str, message: Message) -> Result<i64, BrokerError> {
        let topic = self.topic_mut(topic)?;
        topic.last_sequence_number += 1;
        topic.scheduled.insert(topic.last_sequence_number, message);
        Ok(topic.last_sequence_number)
    }

    /// Puts a scheduled message in, unless it was cancelled.
    pub(crate) fn release(&mut self, topic: &str, number: i64, now: OffsetDateTime) -> Result<(), BrokerError> {
        match self.topic_mut(topic)?.scheduled.remove(&number) {
            Some(message) => self.publish(topic, message, now).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Forgets a scheduled message. False if there is none with this number.
    pub(crate) fn cancel(&mut self, topic: &str, number: i64) -> Result<bool, BrokerError> {
        Ok(self.topic_mut(topic)?.scheduled.remove(&number).is_some())
    }

    pub(crate) fn has_topic(&self, topic: &str) -> bool {
        self.topics.contains_key(&key(topic))
    }

    /// The subscriptions of a topic, by name.
    pub(crate) fn subscriptions(&self, topic: &str) -> Result<impl Iterator<Item = &Subscription>, BrokerError> {
        Ok(self.topic(topic)?.subscriptions())
    }

    /// The topics, by name.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    pub(crate) fn topic(&self, name: &str) -> Result<&Topic, BrokerError> {
        self.topics.get(&key(name)).ok_or_else(|| BrokerError::NoSuchTopic(name.to_owned()))
    }

    pub(crate) fn subscription(&mut self, topic: &str, name: &str) -> Result<&mut Subscription, BrokerError> {
        let found = self.topic_mut(topic)?.subscriptions.get_mut(&key(name));
        found.ok_or_else(|| BrokerError::NoSuchSubscription(topic.to_owned(), name.to_owned()))
    }

    pub(crate) fn topic_mut(&mut self, topic: &str) -> Result<&mut Topic, BrokerError> {
        self.topics.get_mut(&key(topic)).ok_or_else(|| BrokerError::NoSuchTopic(topic.to_owned()))
    }
}

/// How often a message is forwarded at most (Azure's page on auto-forwarding).
const MAX_HOPS: usize = 4;

fn key(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests;
