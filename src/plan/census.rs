//! Which messages the container groups there are have been made for.

use std::collections::HashMap;

use super::{Capacity, ObservedGroup};
use crate::container_group::{GroupName, Liveness, tag};
use crate::message::MessageId;

/// The groups there are, by message and by subscription. Names of subscriptions have no case of their own.
#[derive(Debug)]
pub struct Census {
    by_message_id: HashMap<String, Vec<Made>>,
    active_by_subscription: HashMap<String, u32>,
    capacity: Capacity,
}

/// A group that was made for a message.
#[derive(Debug)]
struct Made {
    /// In lower case; groups of an earlier scaler do not say.
    subscription: Option<String>,
    name: GroupName,
    liveness: Liveness,
}

impl Census {
    /// Counts the groups. One whose containers could not be read counts as active.
    pub fn of(groups: &[ObservedGroup], max_instances: u32) -> Self {
        let mut census = Self {
            by_message_id: HashMap::new(),
            active_by_subscription: HashMap::new(),
            capacity: Capacity { max: max_instances, active: 0 },
        };
        for group in groups {
            census.count(group);
        }
        census
    }

    fn count(&mut self, observed: &ObservedGroup) {
        let group = &observed.group;
        let liveness = if observed.unread.is_some() { Liveness::Active } else { group.liveness() };
        let subscription = group.tag(tag::SUBSCRIPTION_NAME).map(str::to_lowercase);
        if liveness == Liveness::Active {
            self.capacity.active += 1;
            if let Some(subscription) = &subscription {
                *self.active_by_subscription.entry(subscription.clone()).or_default() += 1;
            }
        }
        if let Some(message_id) = group.tag(tag::MESSAGE_ID) {
            let made = Made { subscription, name: group.name.clone(), liveness };
            self.by_message_id.entry(message_id.to_owned()).or_default().push(made);
        }
    }

    /// The cap, and how much of it is used.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// The active groups of a subscription.
    pub fn active_in(&self, subscription: &str) -> u32 {
        self.active_by_subscription.get(&subscription.to_lowercase()).copied().unwrap_or_default()
    }

    /// The group that was made for a message, preferably an active one. A group that does not name its subscription
    /// is taken to be for any message of its id.
    pub fn group_of(&self, subscription: &str, message_id: &MessageId) -> Option<(&GroupName, Liveness)> {
        let subscription = subscription.to_lowercase();
        let made = self.by_message_id.get(message_id.as_str())?;
        made.iter()
            .filter(|made| made.subscription.as_ref().is_none_or(|of| *of == subscription))
            .max_by_key(|made| made.liveness == Liveness::Active)
            .map(|made| (&made.name, made.liveness))
    }
}
