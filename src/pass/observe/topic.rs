//! Lists the subscriptions of the topic, and decides which are read.

use std::collections::{HashMap, HashSet};

use super::Observer;
use super::paging::Paging;
use crate::message::SubscriptionName;
use crate::pass::PassFailure;
use crate::plan::UnservedSubscription;
use crate::services::{ListedSubscription, Subscriptions};

/// The listed subscriptions: those that are served, those that cannot be, and those that are skipped.
#[derive(Debug, Default)]
pub(super) struct Topic {
    is_partitioned: bool,
    /// The places of subscriptions in `served`.
    places: HashMap<SubscriptionName, usize>,
    pub(super) served: Vec<ListedSubscription>,
    pub(super) unserved: Vec<UnservedSubscription>,
    pub(super) skipped: Vec<SubscriptionName>,
}

impl Topic {
    pub(super) async fn list<S: Subscriptions>(
        observer: &Observer<'_>,
        subscriptions: &S,
    ) -> Result<Self, PassFailure> {
        let listed = subscriptions.list().await.map_err(PassFailure::SubscriptionsNotListed)?;
        let mut topic = Self { is_partitioned: listed.is_partitioned, ..Self::default() };
        let mut known = HashSet::new();
        // A list may have an item twice.
        for listed in listed.subscriptions.into_iter().filter(|listed| known.insert(listed.name.clone())) {
            let ListedSubscription { name, unserved, counts, .. } = &listed;
            if observer.settings.skip_subscriptions.contains(name) {
                topic.skipped.push(listed.name);
            } else if let Some(reason) = unserved.clone() {
                topic.unserved.push(UnservedSubscription { name: name.clone(), reason, counts: *counts });
            } else {
                topic.places.insert(name.clone(), topic.served.len());
                topic.served.push(listed);
            }
        }
        Ok(topic)
    }

    pub(super) fn served(&self, name: &SubscriptionName) -> Option<&ListedSubscription> {
        self.places.get(name).map(|place| &self.served[*place])
    }

    /// Passes what the list says about a subscription to its paging.
    pub(super) fn tell(&self, name: &SubscriptionName, paging: &mut Paging) {
        let Some(listed) = self.served(name) else { return };
        paging.expect(listed.counts.map(|counts| counts.active));
        if self.is_partitioned || listed.requires_session {
            paging.scatter();
        }
    }
}
