//! Reads all subscriptions, side by side, over one connection.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use futures_util::future::{join, join_all, try_join};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;

use super::subscription::{FIRST_SEQUENCE_NUMBER, TimedPeeker};
use super::{Announced, begin_elsewhere};
use crate::clock::Clock;
use crate::message::{PeekedMessage, SubscriptionName};
use crate::pass::PassFailure;
use crate::plan::{Demand, ObservedSubscription, Read};
use crate::services::{Messages, PeekError, Peeker, Subscriptions};
use crate::settings::ProcessingSettings;

/// The most that one subscription's peeks get of a pass. It is 40 pages of 750 ms, the default depth, so reached
/// only by one that is stuck, or by a depth of many times that.
const SUBSCRIPTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The part of a short pass that one subscription gets at the most, so that one that is stuck leaves time for the others'
/// creates and deletes.
const SUBSCRIPTION_SHARE: u32 = 4;

/// Messages that are looked up one by one in a subscription and pass: at some 20 ms each they take 2 s, a small part
/// of the subscription's share.
const MAX_LOOK_UPS: usize = 100;

pub(super) struct Reader<'a> {
    pub(super) settings: &'a ProcessingSettings,
    pub(super) clock: &'a Clock,
    /// Which groups there are, by the list.
    pub(super) listed: Announced<'a>,
    /// The same with the groups' states.
    pub(super) read: Announced<'a>,
}

impl Reader<'_> {
    /// The subscriptions with their messages, and the names of those that are skipped.
    pub(super) async fn read_all<S: Subscriptions, M: Messages>(
        &self,
        subscriptions: &S,
        messages: &M,
    ) -> Result<(Vec<ObservedSubscription>, Vec<SubscriptionName>), PassFailure> {
        let (announce, listed) = oneshot::channel();
        let listing = async {
            let names = subscriptions.list().await.map_err(PassFailure::SubscriptionsNotListed)?;
            let (skipped, names): (Vec<_>, Vec<_>) =
                names.into_iter().partition(|name| self.settings.skip_subscriptions.contains(name));
            // Nobody waits for them if there is no connection.
            let _ = announce.send(names);
            Ok(skipped)
        };
        let reading = async {
            let peeker = messages.connect().await.map_err(PassFailure::NothingPeeked)?;
            let read = self.read_listed(&peeker, listed).await;
            peeker.close().await;
            Ok(read.unwrap_or_default())
        };
        let (skipped, read) = join(listing, reading).await;
        let (skipped, read) = (skipped?, read?);

        let failure = |subscription: &ObservedSubscription| match &subscription.read {
            Read::Failed(error) if subscription.messages.is_empty() => Some(error.clone()),
            _ => None,
        };
        match read.iter().map(failure).collect::<Option<Vec<_>>>().as_deref() {
            Some([first, ..]) => Err(PassFailure::NothingPeeked(first.clone())),
            _ => Ok((read, skipped)),
        }
    }

    /// The subscriptions that are listed, unless that fails. Reading those that were there in the last pass does not wait
    /// for the list: what is read of one that is gone since is dropped.
    async fn read_listed<P: Peeker>(
        &self,
        peeker: &P,
        listed: oneshot::Receiver<Vec<SubscriptionName>>,
    ) -> Result<Vec<ObservedSubscription>, RecvError> {
        let familiar = peeker.familiar();
        let known: HashSet<_> = familiar.iter().cloned().collect();
        let reading = |names: Vec<SubscriptionName>| join_all(names.into_iter().map(|name| self.read(peeker, name)));
        let rest = async {
            let names = listed.await?;
            let new = names.iter().filter(|name| !known.contains(*name)).cloned().collect();
            Ok((reading(new).await, names))
        };
        let (early, (late, names)) = try_join(async { Ok(reading(familiar).await) }, rest).await?;
        let read = early.into_iter().chain(late);
        let mut read: HashMap<_, _> = read.map(|observed| (observed.name.clone(), observed)).collect();
        Ok(names.iter().filter_map(|name| read.remove(name)).collect())
    }

    /// One subscription, as far as it can be and needs to be read.
    async fn read<P: Peeker>(&self, peeker: &P, name: SubscriptionName) -> ObservedSubscription {
        let limit = SUBSCRIPTION_TIMEOUT.min(self.settings.pass_deadline / SUBSCRIPTION_SHARE);
        let mut peeker = TimedPeeker::new(peeker, &name, limit);
        let mut messages = Vec::new();
        let read = self.page_on(&mut peeker, &mut messages).await.unwrap_or_else(Read::Failed);
        let covered_to = match read {
            Read::ToTheEnd => i64::MAX,
            _ => messages.iter().map(|message| message.sequence_number).max().unwrap_or_default(),
        };
        let mut observed =
            ObservedSubscription { name: name.clone(), messages, read, covered_to, absent: BTreeSet::new() };
        if !matches!(observed.read, Read::Failed(_)) {
            // What is not found out in time is not known, which is no reason to doubt what was read.
            if let Err(error) = self.look_up(&mut peeker, &mut observed).await {
                tracing::warn!(subscription = %observed.name, %error, "some messages could not be looked up");
            }
        }
        observed
    }

    /// Pages on until there are enough messages for all free slots, or the depth that is set is reached. What the list asks
    /// for is read while the groups' states are.
    async fn page_on<P: Peeker>(
        &self,
        peeker: &mut TimedPeeker<'_, P>,
        messages: &mut Vec<PeekedMessage>,
    ) -> Result<Read, PeekError> {
        let name = peeker.subscription.clone();
        let page = self.settings.peek_page.get();
        let Some(last) = peeker.next_page(FIRST_SEQUENCE_NUMBER, page, messages).await? else {
            return Ok(Read::ToTheEnd);
        };
        // Without the groups the pass fails; there is no point in reading on.
        let Some(reading) = announced(&self.listed).await else { return Ok(Read::FarEnough) };
        let Some(last) = self.meet(reading.first_demand(&name), peeker, last, messages).await? else {
            return Ok(Read::ToTheEnd);
        };
        let Some(reading) = announced(&self.read).await else { return Ok(Read::FarEnough) };
        let last = self.meet(reading.demand(&name), peeker, last, messages).await?;
        Ok(if last.is_some() { Read::FarEnough } else { Read::ToTheEnd })
    }

    /// Reads pages until a demand is met or the depth reached, and returns the last sequence number, or nothing at the end.
    async fn meet<P: Peeker>(
        &self,
        mut demand: Demand<'_>,
        peeker: &mut TimedPeeker<'_, P>,
        mut last: i64,
        messages: &mut Vec<PeekedMessage>,
    ) -> Result<Option<i64>, PeekError> {
        let depth = self.settings.peek_depth.get() as usize;
        let page = self.settings.peek_page.get();
        while !demand.is_met_by(messages) && messages.len() < depth {
            let count = page.min(u32::try_from(depth - messages.len()).unwrap_or(u32::MAX));
            match peeker.next_page(last.saturating_add(1), count, messages).await? {
                Some(number) => last = number,
                None => return Ok(None),
            }
        }
        Ok(Some(last))
    }

    /// Looks for messages that the read did not come to, or did not find, at their own sequence numbers.
    async fn look_up<P: Peeker>(
        &self,
        peeker: &mut TimedPeeker<'_, P>,
        observed: &mut ObservedSubscription,
    ) -> Result<(), PeekError> {
        let Some(reading) = announced(&self.read).await else { return Ok(()) };
        let mut numbers = reading.to_look_up(&observed.name, observed.covered_to);
        let read: HashSet<_> = observed.messages.iter().map(|message| message.sequence_number).collect();
        numbers.retain(|number| !read.contains(number));
        begin_elsewhere(&mut numbers, MAX_LOOK_UPS, self.clock);
        for number in numbers.into_iter().take(MAX_LOOK_UPS) {
            let found = peeker.peek(number, 1).await?.into_iter().next();
            match found.filter(|message| message.sequence_number == number) {
                Some(message) => observed.messages.push(message),
                None => drop(observed.absent.insert(number)),
            }
        }
        Ok(())
    }
}

/// What the groups say, once it is known, unless it never will be.
async fn announced<'a>(groups: &Announced<'a>) -> Option<std::sync::Arc<crate::plan::Reading<'a>>> {
    groups.clone().wait_for(Option::is_some).await.ok()?.clone()
}
