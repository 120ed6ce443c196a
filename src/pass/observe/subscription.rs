//! Reads one subscription, as far as it can be and needs to be read.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::pages::{FIRST_SEQUENCE_NUMBER, Pages};
use super::subscriptions::{Reader, Topic};
use super::timed_peeker::TimedPeeker;
use super::{Announced, announced, begin_elsewhere};
use crate::message::{PeekedMessage, SubscriptionName, partition_of};
use crate::plan::{ObservedSubscription, Read, Reading};
use crate::services::{PeekError, Peeker};

/// Messages that are looked up one by one in a subscription and pass: at some 20 ms each they take 2 s, a small part
/// of the subscription's share.
const MAX_LOOK_UPS: usize = 100;

/// Whose message is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LookUp {
    OfGroup,
    /// It has no group, but is remembered until it is gone.
    Remembered,
}

impl Reader<'_> {
    pub(super) async fn read<P: Peeker>(
        &self,
        peeker: &P,
        name: SubscriptionName,
        topic: &Announced<Topic>,
    ) -> ObservedSubscription {
        let mut peeker = TimedPeeker::new(peeker, &name, self.subscription_limit());
        let mut pages = Pages::default();
        let read = match self.page_on(&mut peeker, &mut pages, topic).await {
            Err(error) => Read::Failed(error),
            Ok(()) if pages.are_at_the_end() => Read::ToTheEnd,
            Ok(()) => Read::FarEnough,
        };
        let counts = announced(topic).await.and_then(|topic| topic.served(&name)?.counts);
        let (messages, covered_to) = pages.into_messages();
        let absent = BTreeSet::new();
        let mut observed = ObservedSubscription { name: name.clone(), counts, messages, read, covered_to, absent };
        if !matches!(observed.read, Read::Failed(_)) {
            // What is not found out in time is not known, which is no reason to doubt what was read.
            if let Err(error) = self.look_up(&mut peeker, &mut observed).await {
                tracing::warn!(subscription = %observed.name, %error, "some messages could not be looked up");
            }
        }
        if observed.covered_to == 0
            && let Some(reading) = announced(&self.read).await
        {
            reading.put_in_order(&observed.name, &mut observed.messages);
        }
        observed
    }

    /// Pages on until there are enough messages for all free slots, or the depth that is set is reached. What the list of
    /// groups asks for is read while their states are, and before the list of subscriptions is there.
    async fn page_on<P: Peeker>(
        &self,
        peeker: &mut TimedPeeker<'_, P>,
        pages: &mut Pages,
        topic: &Announced<Topic>,
    ) -> Result<(), PeekError> {
        let name = peeker.subscription;
        if let Some(topic) = topic.borrow().clone() {
            topic.tell(name, pages);
        }
        let page = peeker.peek(FIRST_SEQUENCE_NUMBER, self.observer.settings.peek_page.get()).await?;
        self.add(pages, FIRST_SEQUENCE_NUMBER, page)?;
        // Without the groups the pass fails; there is no point in reading on.
        let Some(reading) = announced(&self.listed).await else { return Ok(()) };
        if reading.has_seen_partitions() || self.observer.has_seen_partitions.load(Ordering::Relaxed) {
            pages.scatter();
        }
        let mut demand = reading.first_demand(name);
        self.read_until(|pages| demand.is_met_by(pages.messages()), peeker, pages).await?;
        // Neither is there in one that turns out to be gone, or not to be served.
        let Some(topic) = announced(topic).await else { return Ok(()) };
        if topic.served(name).is_none() {
            return Ok(());
        }
        topic.tell(name, pages);
        let Some(reading) = announced(&self.read).await else { return Ok(()) };
        let mut demand = reading.demand(name);
        let is_met = |pages: &Pages| {
            if !pages.are_scattered() {
                return demand.is_met_by(pages.messages());
            }
            reading.is_met_by(name, pages.messages().to_vec())
        };
        self.read_until(is_met, peeker, pages).await
    }

    /// Reads pages until they are enough, or the depth or the end is reached.
    async fn read_until<P: Peeker>(
        &self,
        mut are_enough: impl FnMut(&Pages) -> bool,
        peeker: &mut TimedPeeker<'_, P>,
        pages: &mut Pages,
    ) -> Result<(), PeekError> {
        let depth = self.observer.settings.peek_depth.get() as usize;
        let page = self.observer.settings.peek_page.get();
        while !are_enough(pages) && pages.messages().len() < depth {
            // Where pages may have the same messages again, they could take all the time that looking up needs.
            if pages.are_scattered() && peeker.has_spent_half() {
                break;
            }
            let Some(from) = pages.next_from() else { break };
            let left = u32::try_from(depth - pages.messages().len()).unwrap_or(u32::MAX);
            let page = peeker.peek(from, page.min(left)).await?;
            self.add(pages, from, page)?;
        }
        Ok(())
    }

    /// Looks for messages that the read did not come to, or did not find, at their own sequence numbers.
    async fn look_up<P: Peeker>(
        &self,
        peeker: &mut TimedPeeker<'_, P>,
        observed: &mut ObservedSubscription,
    ) -> Result<(), PeekError> {
        let Some(reading) = announced(&self.read).await else { return Ok(()) };
        for (number, of) in self.to_look_up(&reading, observed) {
            // Where any broker may answer, a look at the first number is one at the start, which may be any other's.
            let is_ambiguous = number == FIRST_SEQUENCE_NUMBER && observed.covered_to == 0;
            let count = if is_ambiguous { self.observer.settings.peek_page.get() } else { 1 };
            let page = peeker.peek(number, count).await?;
            let is_answered = page.iter().any(|message| partition_of(message.sequence_number) == 0);
            if let Some(message) = page.into_iter().find(|message| message.sequence_number == number) {
                // Another of its id may have been read on, which this one must not turn out to come before.
                if of == LookUp::OfGroup {
                    observed.messages.push(message);
                }
            } else if !is_ambiguous || is_answered || observed.read == Read::ToTheEnd {
                observed.absent.insert(number);
            }
        }
        Ok(())
    }

    /// What groups need to know first, then what would be remembered for ever otherwise.
    fn to_look_up(&self, reading: &Reading<'_>, observed: &ObservedSubscription) -> Vec<(i64, LookUp)> {
        let ObservedSubscription { name, covered_to, .. } = observed;
        let read: BTreeSet<_> = observed.messages.iter().map(|message| message.sequence_number).collect();
        let mut numbers = reading.to_look_up(name, *covered_to);
        let mut remembered = if *covered_to == 0 { reading.to_forget(name, 0) } else { Vec::new() };
        remembered.retain(|number| numbers.binary_search(number).is_err());
        for numbers in [&mut numbers, &mut remembered] {
            numbers.retain(|number| !read.contains(number));
            begin_elsewhere(numbers, MAX_LOOK_UPS, self.observer.clock);
        }
        let of_groups = numbers.into_iter().map(|number| (number, LookUp::OfGroup));
        of_groups.chain(remembered.into_iter().map(|number| (number, LookUp::Remembered))).take(MAX_LOOK_UPS).collect()
    }

    fn add(&self, pages: &mut Pages, from: i64, page: Vec<PeekedMessage>) -> Result<(), PeekError> {
        pages.add(from, page).map_err(|last| {
            let reason = format!("asked for messages from {from} on, it answers with {last} and before");
            PeekError::Unavailable { reason: reason.into() }
        })?;
        if pages.show_partitions() {
            self.observer.has_seen_partitions.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
