//! Reads the messages of all subscriptions side by side over one connection, each as far as possible and necessary.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{join, join_all, try_join};
use tokio::sync::watch;
use tokio::time::Instant;

use super::paging::{FIRST_SEQUENCE_NUMBER, Paging};
use super::patience::Patience;
use super::topic::Topic;
use super::{Announced, Observer, announced};
use crate::message::{PeekedMessage, SubscriptionName};
use crate::pass::PassFailure;
use crate::plan::{ObservedSubscription, Read, Reading};
use crate::services::{Messages, PeekError, Peeker, Subscriptions};

/// How long the peeks of one subscription may take in a pass. That is 40 pages, the default depth, of 750 ms each: only a
/// subscription that hangs, or a depth many times larger, reaches it.
const SUBSCRIPTION_TIMEOUT: Duration = Duration::from_secs(30);

/// In a short pass, one subscription gets at most this part, so that one that hangs leaves time for the creates and deletes of
/// the others.
const SUBSCRIPTION_SHARE: u32 = 4;

pub(super) struct Reader<'a> {
    pub(super) observer: Observer<'a>,
    /// The groups, as the list shows them.
    pub(super) listed: Announced<Reading<'a>>,
    /// The groups with their states.
    pub(super) read: Announced<Reading<'a>>,
}

/// How long before the end of reading the groups a subscription's end may have been seen. Messages that arrived after that wait
/// for the next pass. Listing the groups takes less, so a pass with no group to read peeks only once.
const MAX_END_AGE: Duration = Duration::from_secs(1);

/// What has been read of a subscription.
#[derive(Default)]
struct SoFar {
    messages: Vec<PeekedMessage>,
    paging: Paging,
    last: Option<Page>,
}

struct Page {
    at: Instant,
    /// Whether it had fewer messages than requested, so that there may be no more.
    is_short: bool,
}

impl SoFar {
    /// Whether only the end is left to see. That is best done late, because each page shows the messages of its moment.
    fn may_be_all(&self) -> bool {
        !self.paging.is_scattered() && self.last.as_ref().is_some_and(|page| page.is_short)
    }

    fn end_is_old(&self) -> bool {
        let is_old = self.last.as_ref().is_some_and(|page| page.at.elapsed() > MAX_END_AGE);
        is_old && !self.paging.is_scattered() && self.paging.is_at_the_end()
    }
}

impl Reader<'_> {
    /// The topic, and the messages of all subscriptions that can be served.
    pub(super) async fn read_all<S: Subscriptions, M: Messages>(
        &self,
        subscriptions: &S,
        messages: &M,
    ) -> Result<(Arc<Topic>, Vec<ObservedSubscription>), PassFailure> {
        let (announce, topic) = watch::channel(None);
        let listing = async move {
            let topic = Arc::new(Topic::list(&self.observer, subscriptions).await?);
            announce.send_replace(Some(topic.clone()));
            Ok(topic)
            // If the list fails, the channel closes, which ends the wait of its receivers.
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
            // Without subscriptions to peek, no connection is needed.
            Err(_) if topic.served.is_empty() => Vec::new(),
            Err(error) => return Err(PassFailure::NothingPeeked(error)),
        };
        if self.observer.kept.has_seen_partitions.load(Ordering::Relaxed) {
            // Pages that were read before another subscription showed partitions prove nothing.
            read.iter_mut().filter(|observed| observed.covered_to > 0).for_each(ObservedSubscription::uncover);
        }
        match read.iter().map(failure).collect::<Option<Vec<_>>>().as_deref() {
            Some([first, ..]) => Err(PassFailure::NothingPeeked((*first).clone())),
            _ => Ok((topic, read)),
        }
    }

    /// The listed subscriptions that can be served, or nothing if listing fails. Those known from the last pass are read without
    /// waiting for the list; if one no longer exists, its messages are dropped.
    async fn read_listed<P: Peeker>(&self, peeker: &P, topic: &Announced<Topic>) -> Option<Vec<ObservedSubscription>> {
        let patience = Patience::new(&self.observer.kept.hanging_subscriptions);
        let familiar = peeker.familiar();
        let known: HashSet<_> = familiar.iter().cloned().collect();
        let read = |name| self.read(peeker, &patience, name, topic);
        let reading = |names: Vec<SubscriptionName>| join_all(names.into_iter().map(read));
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

    async fn read<P: Peeker>(
        &self,
        peeker: &P,
        patience: &Patience<'_, SubscriptionName>,
        name: SubscriptionName,
        topic: &Announced<Topic>,
    ) -> ObservedSubscription {
        let limit = patience.limit(&name, self.limit());
        let mut peeker = TimedPeeker { peeker, subscription: &name, patience, limit, spent: Duration::ZERO };
        let mut so_far = SoFar::default();
        let read = match self.page_on(&mut peeker, &mut so_far, topic).await {
            Err(error) => Read::Failed(error),
            Ok(()) if so_far.paging.is_at_the_end() => Read::ToTheEnd,
            Ok(()) => Read::FarEnough,
        };
        patience.ended(&name, !matches!(read, Read::Failed(PeekError::TimedOut { .. })));
        let counts = announced(topic).await.and_then(|topic| topic.served(&name)?.counts);
        let SoFar { messages, paging, .. } = so_far;
        let (covered_to, absent) = (paging.covered_to(), BTreeSet::new());
        let mut observed = ObservedSubscription { name: name.clone(), counts, messages, read, covered_to, absent };
        let Some(reading) = announced(&self.read).await else { return observed };
        if !matches!(observed.read, Read::Failed(_)) {
            // A failed look-up leaves messages unknown, but what was read is still right.
            if let Err(error) = self.look_up(&reading, &mut peeker, &mut observed).await {
                tracing::warn!(event = "not_looked_up", subscription = %observed.name, %error, "some messages could not be looked up");
            }
        }
        if observed.covered_to == 0 {
            reading.put_in_order(&observed.name, &mut observed.messages);
        }
        observed
    }

    /// Reads pages until there are enough messages for all free slots, or the configured depth is reached. It reads what the list
    /// of groups already demands while their states are read, before the list of subscriptions arrives.
    async fn page_on<P: Peeker>(
        &self,
        peeker: &mut TimedPeeker<'_, P>,
        so_far: &mut SoFar,
        topic: &Announced<Topic>,
    ) -> Result<(), PeekError> {
        let name = peeker.subscription;
        if let Some(topic) = topic.borrow().clone() {
            topic.tell(name, &mut so_far.paging);
        }
        self.read_page(FIRST_SEQUENCE_NUMBER, peeker, so_far).await?;
        // Without the groups the pass fails, so reading on has no point.
        let Some(reading) = announced(&self.listed).await else { return Ok(()) };
        if reading.has_seen_partitions() || self.observer.kept.has_seen_partitions.load(Ordering::Relaxed) {
            so_far.paging.scatter();
        }
        let mut demand = reading.first_demand(name);
        let is_enough = |so_far: &SoFar| so_far.may_be_all() || demand.is_met_by(&so_far.messages);
        self.read_until(is_enough, peeker, so_far).await?;
        // Nor does it for a subscription that no longer exists or cannot be served.
        let Some(topic) = announced(topic).await else { return Ok(()) };
        if topic.served(name).is_none() {
            return Ok(());
        }
        topic.tell(name, &mut so_far.paging);
        let Some(reading) = announced(&self.read).await else { return Ok(()) };
        if so_far.end_is_old() && so_far.messages.len() < self.observer.settings.peek_depth.get() as usize {
            let next = so_far.paging.after_the_last();
            self.read_page(next, peeker, so_far).await?;
        }
        let mut demand = reading.demand(name);
        let is_met = |so_far: &SoFar| {
            if !so_far.paging.is_scattered() {
                return demand.is_met_by(&so_far.messages);
            }
            reading.is_met_by(name, so_far.messages.clone())
        };
        self.read_until(is_met, peeker, so_far).await
    }

    /// Reads pages until there are enough, or the depth or the end is reached.
    async fn read_until<P: Peeker>(
        &self,
        mut is_enough: impl FnMut(&SoFar) -> bool,
        peeker: &mut TimedPeeker<'_, P>,
        so_far: &mut SoFar,
    ) -> Result<(), PeekError> {
        let depth = self.observer.settings.peek_depth.get() as usize;
        while !is_enough(so_far) && so_far.messages.len() < depth {
            // Where pages can repeat messages, they could take all the time that look-ups need.
            if so_far.paging.is_scattered() && peeker.has_spent_half() {
                break;
            }
            let Some(from) = so_far.paging.next_from() else { break };
            self.read_page(from, peeker, so_far).await?;
        }
        Ok(())
    }

    async fn read_page<P: Peeker>(
        &self,
        from: i64,
        peeker: &mut TimedPeeker<'_, P>,
        so_far: &mut SoFar,
    ) -> Result<(), PeekError> {
        let SoFar { messages, paging, last } = so_far;
        let settings = self.observer.settings;
        let left = (settings.peek_depth.get() as usize).saturating_sub(messages.len());
        let count = settings.peek_page.get().min(u32::try_from(left).unwrap_or(u32::MAX));
        let mut page = peeker.peek(from, count).await?;
        *last = Some(Page { at: Instant::now(), is_short: page.len() < count as usize });
        let mut new: Vec<_> = page.iter().map(|message| message.sequence_number).collect();
        paging.note(from, &mut new).map_err(|last| {
            let reason = format!("asked for messages from {from} on, it answers with {last} and before");
            PeekError::Unavailable { reason: reason.into() }
        })?;
        let mut new = new.into_iter().peekable();
        page.retain(|message| new.next_if_eq(&message.sequence_number).is_some());
        messages.append(&mut page);
        if paging.has_seen_partitions() {
            self.observer.kept.has_seen_partitions.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn limit(&self) -> Duration {
        SUBSCRIPTION_TIMEOUT.min(self.observer.settings.pass_deadline / SUBSCRIPTION_SHARE)
    }
}

/// Peeks one subscription, for a limited time.
pub(super) struct TimedPeeker<'a, P> {
    peeker: &'a P,
    subscription: &'a SubscriptionName,
    patience: &'a Patience<'a, SubscriptionName>,
    limit: Duration,
    /// How long the subscription's own answers took, without the wait for the groups.
    spent: Duration,
}

impl<P: Peeker> TimedPeeker<'_, P> {
    pub(super) async fn peek(&mut self, from: i64, count: u32) -> Result<Vec<PeekedMessage>, PeekError> {
        let start = Instant::now();
        // Boxed, because the futures that wait for it would otherwise hold it several times, for each of a thousand
        // subscriptions.
        let answer = Box::pin(self.peeker.peek(self.subscription, from, count));
        let page = self.patience.wait(self.limit.saturating_sub(self.spent), answer).await;
        self.spent += start.elapsed();
        page.unwrap_or(Err(PeekError::TimedOut { after: self.spent }))
    }

    fn has_spent_half(&self) -> bool {
        self.spent >= self.limit / 2
    }
}

/// The error, if nothing of a subscription could be peeked.
fn failure(subscription: &ObservedSubscription) -> Option<&PeekError> {
    match &subscription.read {
        Read::Failed(error) if subscription.messages.is_empty() => Some(error),
        _ => None,
    }
}
