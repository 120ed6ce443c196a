//! What tests and tools set up in a namespace, and read from it, without the network.

use super::broker::subscription::{SubQueue, Subscription};
use super::broker::{BrokerError, Partitioning, SubscriptionConfig, SubscriptionStatus, TopicConfig};
use super::{ServiceBus, StoredMessage};
use crate::clock;

/// What a list of subscriptions says about one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSummary {
    /// Its name as it was created.
    pub name: String,
    /// Whether it can be used.
    pub status: SubscriptionStatus,
    /// Whether its messages are in sessions.
    pub requires_session: bool,
    /// The topic that its messages are forwarded to, if they are.
    pub forward_to: Option<String>,
    /// Messages in it, locked and deferred ones too.
    pub active_messages: usize,
    /// Messages in its dead-letter queue.
    pub dead_letter_messages: usize,
}

/// The state of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSummary {
    /// How its messages are divided among brokers, if they are.
    pub partitioning: Option<Partitioning>,
    /// How many subscriptions it has.
    pub subscriptions: usize,
    /// Its scheduled messages.
    pub scheduled_messages: usize,
}

impl ServiceBus {
    /// Creates a topic.
    pub fn create_topic(&self, name: &str) -> Result<(), BrokerError> {
        self.create_topic_with(TopicConfig::new(name))
    }

    /// Creates a topic with this configuration.
    pub fn create_topic_with(&self, config: TopicConfig) -> Result<(), BrokerError> {
        self.0.shared.broker().create_topic(config, clock::now())
    }

    /// Divides the messages of a topic among brokers, or no longer does. Existing messages keep their numbers.
    pub fn set_partitioning(&self, topic: &str, partitioning: Option<Partitioning>) -> Result<(), BrokerError> {
        self.0.shared.broker().topic_mut(topic)?.config.partitioning = partitioning;
        Ok(())
    }

    /// The state of a topic.
    pub fn topic(&self, name: &str) -> Result<TopicSummary, BrokerError> {
        let broker = self.0.shared.broker();
        let topic = broker.topic(name)?;
        Ok(TopicSummary {
            partitioning: topic.config.partitioning.clone(),
            subscriptions: topic.subscriptions().count(),
            scheduled_messages: topic.scheduled(),
        })
    }

    /// Creates a subscription of a topic.
    pub fn create_subscription(&self, topic: &str, config: SubscriptionConfig) -> Result<(), BrokerError> {
        self.0.shared.broker().create_subscription(topic, config, clock::now())
    }

    /// Deletes a subscription and its messages.
    pub fn delete_subscription(&self, topic: &str, name: &str) -> Result<(), BrokerError> {
        self.0.shared.broker().delete_subscription(topic, name)
    }

    /// Changes how a subscription is set up: whether it can be used, forwards, or requires sessions, for example.
    pub fn configure(
        &self,
        topic: &str,
        name: &str,
        change: impl FnOnce(&mut SubscriptionConfig),
    ) -> Result<(), BrokerError> {
        change(&mut self.0.shared.broker().subscription(topic, name)?.config);
        Ok(())
    }

    /// Changes whether a subscription can be used.
    pub fn set_status(&self, topic: &str, name: &str, status: SubscriptionStatus) -> Result<(), BrokerError> {
        self.configure(topic, name, |config| config.status = status)
    }

    /// The subscriptions of a topic, by name.
    pub fn subscriptions(&self, topic: &str) -> Result<Vec<SubscriptionSummary>, BrokerError> {
        let broker = self.0.shared.broker();
        let summary = |subscription: &Subscription| SubscriptionSummary {
            name: subscription.config.name.clone(),
            status: subscription.config.status,
            requires_session: subscription.config.requires_session,
            forward_to: subscription.config.forward_to.clone(),
            active_messages: subscription.queue(SubQueue::Messages).len(),
            dead_letter_messages: subscription.queue(SubQueue::DeadLetters).len(),
        };
        Ok(broker.subscriptions(topic)?.map(summary).collect())
    }

    /// All messages of a subscription; nothing notes that they were read.
    pub fn peek_all(&self, topic: &str, name: &str) -> Result<Vec<StoredMessage>, BrokerError> {
        Ok(self.0.shared.broker().subscription(topic, name)?.inspect(SubQueue::Messages, clock::now()))
    }

    /// All messages of a subscription's dead-letter queue; nothing notes that they were read.
    pub fn peek_all_dead_letters(&self, topic: &str, name: &str) -> Result<Vec<StoredMessage>, BrokerError> {
        Ok(self.0.shared.broker().subscription(topic, name)?.inspect(SubQueue::DeadLetters, clock::now()))
    }

    /// Removes a message, whatever its state. False if it was not there.
    pub fn remove(&self, topic: &str, name: &str, sequence_number: i64) -> Result<bool, BrokerError> {
        Ok(self.0.shared.broker().subscription(topic, name)?.remove(sequence_number))
    }
}
