//! Reads what is there: groups, subscriptions and messages, side by side.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all, try_join};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use super::{PassFailure, side_by_side};
use crate::clock::Clock;
use crate::container_group::{ContainerGroup, tag};
use crate::message::PeekedMessage;
use crate::plan::{Census, Memory, ObservedGroup, ObservedSubscription, Read, Rules, Sieve, Sifted, Snapshot};
use crate::services::{ArmError, ContainerGroups, Messages, PeekError, Peeker, Services, Subscriptions};
use crate::settings::ProcessingSettings;

/// Groups that are looked at one by one at a time. At some 100 ms each they are 80 a second.
const GROUP_READERS: usize = 8;

/// The most that a look at one group takes. Azure answers in well under a second; nothing is created on the strength of
/// what is older than three quarters of a back-off, so one group must not hold up everything for that long.
const GROUP_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads that Azure lets an identity make at once, and has saved up again long before the next pass. It may refuse those
/// that come after, so each pass begins with others.
const GROUP_READS_SAVED_UP: usize = 250;

/// The most that one subscription's peeks get of a pass. It is 40 pages of 750 ms, the default depth, so reached
/// only by one that is stuck, or by a depth of many times that.
const SUBSCRIPTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The part of a short pass that one subscription gets at the most, so that one that is stuck leaves time for the others'
/// creates and deletes.
const SUBSCRIPTION_SHARE: u32 = 4;

/// Messages that are looked for one by one in a subscription and pass: at some 20 ms each they take 2 s, a small part
/// of the subscription's share.
const MAX_LOOK_UPS: usize = 100;

/// Sequence numbers start at 1.
const FIRST_SEQUENCE_NUMBER: i64 = 1;

/// What is known of the groups, once it is.
type GroupsKnown = watch::Receiver<Option<Arc<Census>>>;

/// Reads everything that a plan needs.
pub(super) async fn observe<G: ContainerGroups, S: Subscriptions, M: Messages>(
    services: &Services<G, S, M>,
    settings: &ProcessingSettings,
    rules: &Rules,
    memory: &Memory,
    asked_for: Vec<ContainerGroup>,
    clock: &Clock,
) -> Result<Snapshot, PassFailure> {
    let (announce_listed, listed) = watch::channel(None);
    let (announce_read, read) = watch::channel(None);
    let groups = async move {
        let announce = |announce: watch::Sender<_>, groups: &[ObservedGroup]| {
            announce.send_replace(Some(Arc::new(Census::of(groups, memory, rules, clock.now()))));
        };
        let listed = services.groups.list().await?;
        let mut listed: Vec<_> = listed.into_iter().map(|group| ObservedGroup { group, unread: None }).collect();
        announce(announce_listed, &listed);
        begin_elsewhere(&mut listed, GROUP_READS_SAVED_UP, clock);
        let read = read_groups(&services.groups, listed, asked_for).await;
        announce(announce_read, &read);
        Ok(read)
        // If the list fails, those who wait are told by the end of the channels.
    };
    let reader = Reader { settings, rules, clock, groups_known: [listed, read] };
    let (groups, messages) = join(groups, reader.read_all(&services.subscriptions, &services.messages)).await;
    let groups = groups.map_err(PassFailure::GroupsNotListed)?;
    let (subscriptions, skipped_subscriptions) = messages?;
    Ok(Snapshot { groups, subscriptions, skipped_subscriptions })
}

/// The list shows no container's state, so every group that may have ended is looked at on its own. It may also lag
/// behind, so the groups that were asked for lately are looked at even if it does not show them.
async fn read_groups<G: ContainerGroups>(
    groups: &G,
    listed: Vec<ObservedGroup>,
    asked_for: Vec<ContainerGroup>,
) -> Vec<ObservedGroup> {
    let names: HashSet<_> = listed.iter().map(|observed| observed.group.name.clone()).collect();
    let unlisted = asked_for.into_iter().filter(|group| !names.contains(&group.name));
    let listed = listed.into_iter().map(|observed| async {
        if !observed.group.may_have_ended() {
            return observed;
        }
        // A group that is gone now had been there a moment ago, and the list may not show yet what follows it.
        let read = read_group(groups, observed.group.clone()).await;
        read.unwrap_or_else(|| ObservedGroup { unread: Some(ArmError::JustGone), ..observed })
    });
    let mut read = side_by_side(GROUP_READERS, listed).await;
    let unlisted = side_by_side(GROUP_READERS, unlisted.map(|group| read_group(groups, group))).await;
    read.extend(unlisted.into_iter().flatten());
    read
}

/// A group with its containers' states, or nothing if it has gone since it was listed.
async fn read_group<G: ContainerGroups>(groups: &G, listed: ContainerGroup) -> Option<ObservedGroup> {
    let late = || ArmError::unavailable(format!("no answer within {} s", GROUP_READ_TIMEOUT.as_secs()));
    match timeout(GROUP_READ_TIMEOUT, groups.get(&listed.name)).await.unwrap_or_else(|_| Err(late())) {
        // One that has another manager now is none of ours any more.
        Ok(group) => {
            let group = group.filter(|group| group.tag(tag::MANAGED_BY) == listed.tag(tag::MANAGED_BY));
            group.map(|group| ObservedGroup { group, unread: None })
        }
        Err(error) => Some(ObservedGroup { group: listed, unread: Some(error) }),
    }
}

/// Puts others to the front in each pass, a minute after the last, when there are more than one pass can do.
fn begin_elsewhere<T>(items: &mut [T], per_pass: usize, clock: &Clock) {
    if items.len() > per_pass {
        let minutes = usize::try_from(clock.now().unix_timestamp() / 60).unwrap_or_default();
        items.rotate_left(minutes.wrapping_mul(per_pass) % items.len());
    }
}

/// What is known of the groups, once it is, unless it never will be.
async fn known(groups: &GroupsKnown) -> Option<Arc<Census>> {
    groups.clone().wait_for(Option::is_some).await.ok()?.clone()
}

struct Reader<'a> {
    settings: &'a ProcessingSettings,
    rules: &'a Rules,
    clock: &'a Clock,
    /// Which groups there are, by the list; then how they are, by a look at each.
    groups_known: [GroupsKnown; 2],
}

impl Reader<'_> {
    /// The subscriptions with their messages, and the names of those that are skipped.
    async fn read_all<S: Subscriptions, M: Messages>(
        &self,
        subscriptions: &S,
        messages: &M,
    ) -> Result<(Vec<ObservedSubscription>, Vec<String>), PassFailure> {
        let (announce, listed) = oneshot::channel();
        let listing = async {
            let names = subscriptions.list().await.map_err(PassFailure::SubscriptionsNotListed)?;
            let (skipped, names): (Vec<_>, Vec<_>) =
                names.into_iter().partition(|name| self.settings.skip_subscriptions.contains(&name.to_lowercase()));
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

    /// The subscriptions that are listed, unless that fails. Those that were there in the last pass are not waited for to be
    /// listed: what is read of one that has gone since is dropped.
    async fn read_listed<P: Peeker>(
        &self,
        peeker: &P,
        listed: oneshot::Receiver<Vec<String>>,
    ) -> Result<Vec<ObservedSubscription>, RecvError> {
        let familiar = peeker.familiar();
        let known: HashSet<_> = familiar.iter().cloned().collect();
        let reading = |names: Vec<String>| join_all(names.into_iter().map(|name| self.read(peeker, name)));
        let rest = async {
            let names = listed.await?;
            let new = names.iter().filter(|name| !known.contains(*name)).cloned().collect();
            Ok((reading(new).await, names))
        };
        let (early, (late, names)) = try_join(reading(familiar).map(Ok), rest).await?;
        let read = early.into_iter().chain(late);
        let mut read: HashMap<_, _> = read.map(|observed| (observed.name.clone(), observed)).collect();
        Ok(names.iter().filter_map(|name| read.remove(name)).collect())
    }

    /// One subscription, as far as it can be and needs to be read.
    async fn read<P: Peeker>(&self, peeker: &P, name: String) -> ObservedSubscription {
        let limit = SUBSCRIPTION_TIMEOUT.min(self.settings.pass_deadline / SUBSCRIPTION_SHARE);
        let mut subscription = Subscription { peeker, name: &name, limit, spent: Duration::ZERO };
        let mut messages = Vec::new();
        let read = self.page_on(&mut subscription, &mut messages).await.unwrap_or_else(Read::Failed);
        let covered_to = match read {
            Read::ToTheEnd => i64::MAX,
            _ => messages.iter().map(|message| message.sequence_number).max().unwrap_or_default(),
        };
        let mut observed =
            ObservedSubscription { name: name.clone(), messages, read, covered_to, absent: BTreeSet::new() };
        if !matches!(observed.read, Read::Failed(_)) {
            // What is not found out in time is not known, which is no reason to doubt what was read.
            if let Err(error) = self.look_up(&mut subscription, &mut observed).await {
                tracing::warn!(subscription = observed.name, %error, "some messages could not be looked up");
            }
        }
        observed
    }

    /// Looks for messages that the read did not come to, or did not find, at their own sequence numbers.
    async fn look_up<P: Peeker>(
        &self,
        subscription: &mut Subscription<'_, P>,
        observed: &mut ObservedSubscription,
    ) -> Result<(), PeekError> {
        let [_, read] = &self.groups_known;
        let Some(census) = known(read).await else { return Ok(()) };
        let orphans = self.rules.orphan_grace.is_some();
        let mut numbers = census.in_doubt(&observed.name, observed.covered_to, orphans);
        let read: HashSet<_> = observed.messages.iter().map(|message| message.sequence_number).collect();
        numbers.retain(|number| !read.contains(number));
        begin_elsewhere(&mut numbers, MAX_LOOK_UPS, self.clock);
        for number in numbers.into_iter().take(MAX_LOOK_UPS) {
            let found = subscription.peek(number, 1).await?.into_iter().next();
            match found.filter(|message| message.sequence_number == number) {
                Some(message) => observed.messages.push(message),
                None => drop(observed.absent.insert(number)),
            }
        }
        Ok(())
    }

    async fn page_on<P: Peeker>(
        &self,
        subscription: &mut Subscription<'_, P>,
        messages: &mut Vec<PeekedMessage>,
    ) -> Result<Read, PeekError> {
        let depth = self.settings.peek_depth.get() as usize;
        let page = self.settings.peek_page.get();
        let Some(mut last) = subscription.next_page(FIRST_SEQUENCE_NUMBER, page, messages).await? else {
            return Ok(Read::ToTheEnd);
        };
        // The list takes every group for active, so that more slots may be free than it shows and never fewer: what is
        // read on the strength of it would have to be read in any case, and is so while the groups are looked at.
        for groups in &self.groups_known {
            let Some(census) = known(groups).await else {
                // Without the groups the pass fails; there is no point in reading on.
                return Ok(Read::FarEnough);
            };
            let mut sieve = Sieve::new(&census, self.rules, subscription.name, self.clock.now());
            let mut new = 0;
            let mut sifted = 0;
            loop {
                new +=
                    messages[sifted..].iter().filter(|message| matches!(sieve.sift(message), Sifted::New(_))).count();
                sifted = messages.len();
                if new >= census.capacity().free() as usize || messages.len() >= depth {
                    break;
                }
                let count = page.min(u32::try_from(depth - messages.len()).unwrap_or(u32::MAX));
                match subscription.next_page(last.saturating_add(1), count, messages).await? {
                    Some(number) => last = number,
                    None => return Ok(Read::ToTheEnd),
                }
            }
        }
        Ok(Read::FarEnough)
    }
}

/// A subscription that is read, and has a limited time for it.
struct Subscription<'a, P> {
    peeker: &'a P,
    name: &'a str,
    limit: Duration,
    /// What its own answers took. That it had to wait for the groups is not counted.
    spent: Duration,
}

impl<P: Peeker> Subscription<'_, P> {
    async fn peek(&mut self, from: i64, count: u32) -> Result<Vec<PeekedMessage>, PeekError> {
        let start = Instant::now();
        let page = timeout(self.limit.saturating_sub(self.spent), self.peeker.peek(self.name, from, count)).await;
        self.spent += start.elapsed();
        page.unwrap_or(Err(PeekError::TimedOut { after: self.limit }))
    }

    /// Adds a page, and tells the last sequence number of it unless the page was empty.
    async fn next_page(
        &mut self,
        from: i64,
        count: u32,
        messages: &mut Vec<PeekedMessage>,
    ) -> Result<Option<i64>, PeekError> {
        let page = self.peek(from, count).await?;
        let Some(last) = page.iter().map(|message| message.sequence_number).max() else { return Ok(None) };
        if last < from {
            let reason = format!("asked for messages from {from} on, it answers with {last} and before");
            return Err(PeekError::Unavailable { reason: reason.into() });
        }
        messages.extend(page.into_iter().filter(|message| message.sequence_number >= from));
        Ok(Some(last))
    }
}
