//! How topics and subscriptions are set up.

use serde::{Deserialize, Serialize};
use time::Duration;

use super::filter::Rule;
use super::partitioning::Partitioning;

/// How a topic is set up.
#[derive(Clone, Debug)]
pub struct TopicConfig {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// How long a message lives at most.
    pub default_time_to_live: Option<Duration>,
    /// What an administrator notes about it.
    pub user_metadata: Option<String>,
    /// How its messages are divided among brokers, if they are.
    pub partitioning: Option<Partitioning>,
}

impl TopicConfig {
    /// A topic with the service's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), default_time_to_live: None, user_metadata: None, partitioning: None }
    }
}

/// How a subscription is set up.
#[derive(Clone, Debug)]
pub struct SubscriptionConfig {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// A message is accepted if any of them matches. Without a rule no message is.
    pub rules: Vec<Rule>,
    /// How long a receiver holds a message.
    pub lock_duration: Duration,
    /// After this many deliveries without being settled, a message goes to the dead-letter queue.
    pub max_delivery_count: u32,
    /// How long a message lives at most.
    pub default_time_to_live: Option<Duration>,
    /// Whether expired messages go to the dead-letter queue, or are removed.
    pub dead_letter_on_expiration: bool,
    /// Whether it can be used.
    pub status: SubscriptionStatus,
    /// Whether messages can only be received by session, which the local Service Bus does not offer.
    pub requires_session: bool,
    /// The topic that messages are forwarded to. They stay in the subscription if there is no such topic.
    pub forward_to: Option<String>,
    /// What an administrator notes about it.
    pub user_metadata: Option<String>,
}

impl SubscriptionConfig {
    /// A subscription that accepts every message, with the service's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rules: vec![Rule::default()],
            lock_duration: Duration::minutes(1),
            max_delivery_count: 10,
            default_time_to_live: None,
            dead_letter_on_expiration: false,
            status: SubscriptionStatus::Active,
            requires_session: false,
            forward_to: None,
            user_metadata: None,
        }
    }
}

/// Whether a subscription can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubscriptionStatus {
    /// It can.
    #[default]
    Active,
    /// Neither sending nor receiving.
    Disabled,
    /// It accepts messages, but receivers get none.
    ReceiveDisabled,
}

impl SubscriptionStatus {
    /// The name that Azure Resource Manager uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Disabled => "Disabled",
            Self::ReceiveDisabled => "ReceiveDisabled",
        }
    }
}
