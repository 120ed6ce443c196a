//! Reads all subscriptions, side by side, over one connection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{join, join_all, try_join};
use tokio::sync::watch;

use super::pages::Pages;
use super::{Announced, Observer, announced};
use crate::message::SubscriptionName;
use crate::pass::PassFailure;
use crate::plan::{ObservedSubscription, Read, Reading, UnservedSubscription};
use crate::services::{ListedSubscription, Messages, PeekError, Peeker, Subscriptions};

/// The most that one subscription's peeks get of a pass. It is 40 pages of 750 ms, the default depth, so reached
/// only by one that is stuck, or by a depth of many times that.
const SUBSCRIPTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The part of a short pass that one subscription gets at the most, so that one that is stuck leaves time for the others'
/// creates and deletes.
const SUBSCRIPTION_SHARE: u32 = 4;

pub(super) struct Reader<'a> {
    pub(super) observer: Observer<'a>,
    /// Which groups there are, by the list.
    pub(super) listed: Announced<Reading<'a>>,
    /// The same with the groups' states.
    pub(super) read: Announced<Reading<'a>>,
}

/// What is listed, by what is done about it.
#[derive(Debug, Default)]
pub(super) struct Topic {
    is_partitioned: bool,
    /// Their places among those that are served.
    places: HashMap<SubscriptionName, usize>,
    served: Vec<ListedSubscription>,
    pub(super) unserved: Vec<UnservedSubscription>,
    pub(super) skipped: Vec<SubscriptionName>,
}

impl Topic {
    pub(super) fn served(&self, name: &SubscriptionName) -> Option<&ListedSubscription> {
        self.places.get(name).map(|place| &self.served[*place])
    }

    /// Tells the pages of a subscription what the list says of it.
    pub(super) fn tell(&self, name: &SubscriptionName, pages: &mut Pages) {
        let Some(listed) = self.served(name) else { return };
        pages.expect(listed.counts.map(|counts| counts.active));
        if self.is_partitioned || listed.requires_session {
            pages.scatter();
        }
    }
}

impl Reader<'_> {
    /// What is listed, and the messages of all subscriptions that can be served.
    pub(super) async fn read_all<S: Subscriptions, M: Messages>(
        &self,
        subscriptions: &S,
        messages: &M,
    ) -> Result<(Arc<Topic>, Vec<ObservedSubscription>), PassFailure> {
        let (announce, topic) = watch::channel(None);
        let listing = async move {
            let topic = Arc::new(self.list(subscriptions).await?);
            announce.send_replace(Some(topic.clone()));
            Ok(topic)
            // If the list fails, the end of the channel says so to those who wait.
        };
        let reading = async {
            let peeker = messages.connect().await?;
            let read = self.read_listed(&peeker, &topic).await;
            peeker.close().await;
            Ok(read)
        };
        let (topic, read) = join(listing, reading).await;
        let topic = topic?;
        let mut read: Vec<_> = match read {
            Ok(read) => read.unwrap_or_default(),
            // Where there is nothing to peek, nobody needs a connection.
            Err(_) if topic.served.is_empty() => Vec::new(),
            Err(error) => return Err(PassFailure::NothingPeeked(error)),
        };
        if self.observer.has_seen_partitions.load(Ordering::Relaxed) {
            // What was read before another subscription has shown them proves nothing.
            read.iter_mut().filter(|observed| observed.covered_to > 0).for_each(ObservedSubscription::uncover);
        }
        match read.iter().map(failure).collect::<Option<Vec<_>>>().as_deref() {
            Some([first, ..]) => Err(PassFailure::NothingPeeked((*first).clone())),
            _ => Ok((topic, read)),
        }
    }

    async fn list<S: Subscriptions>(&self, subscriptions: &S) -> Result<Topic, PassFailure> {
        let listed = subscriptions.list().await.map_err(PassFailure::SubscriptionsNotListed)?;
        let mut topic = Topic { is_partitioned: listed.is_partitioned, ..Topic::default() };
        let mut known = HashSet::new();
        // A list may have an item twice.
        for listed in listed.subscriptions.into_iter().filter(|listed| known.insert(listed.name.clone())) {
            let ListedSubscription { name, unserved, counts, .. } = &listed;
            if self.observer.settings.skip_subscriptions.contains(name) {
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

    /// The subscriptions that are listed and can be served, unless listing fails. Reading those that were there in the last
    /// pass does not wait for the list: what is read of one that is gone since is dropped.
    async fn read_listed<P: Peeker>(&self, peeker: &P, topic: &Announced<Topic>) -> Option<Vec<ObservedSubscription>> {
        let familiar = peeker.familiar();
        let known: HashSet<_> = familiar.iter().cloned().collect();
        let reading =
            |names: Vec<SubscriptionName>| join_all(names.into_iter().map(|name| self.read(peeker, name, topic)));
        let rest = async {
            let topic = announced(topic).await?;
            let names = topic.served.iter().map(|listed| &listed.name);
            let new = names.filter(|name| !known.contains(*name)).cloned().collect();
            Some((reading(new).await, topic))
        };
        let early = async { Ok(reading(familiar).await) };
        let (early, (late, topic)) = try_join(early, async { rest.await.ok_or(()) }).await.ok()?;
        let read = early.into_iter().chain(late);
        let mut read: HashMap<_, _> = read.map(|observed| (observed.name.clone(), observed)).collect();
        Some(topic.served.iter().filter_map(|listed| read.remove(&listed.name)).collect())
    }

    pub(super) fn subscription_limit(&self) -> Duration {
        SUBSCRIPTION_TIMEOUT.min(self.observer.settings.pass_deadline / SUBSCRIPTION_SHARE)
    }
}

/// Why nothing of a subscription could be peeked, if so.
fn failure(subscription: &ObservedSubscription) -> Option<&PeekError> {
    match &subscription.read {
        Read::Failed(error) if subscription.messages.is_empty() => Some(error),
        _ => None,
    }
}
