//! The least time that a pass can take, given the latencies of the services.
//!
//! Everything that needs no other answer counts as concurrent, as far as the rules allow: 8 reads of groups at once, and as many
//! creates and deletes as there are workers. A group is looked up before its create; before its delete, its log is read and it is
//! looked up. All but the first of these overlap with creates or deletes of others.

use std::time::Duration;

use crate::scenario::Scenario;

/// Container groups in a page of Azure's list.
pub const GROUPS_PAGE: usize = 50;

/// Subscriptions in a page, the most that Azure gives.
pub const SUBSCRIPTIONS_PAGE: usize = 1000;

/// Messages in a page.
pub const MESSAGES_PAGE: usize = 250;

/// Groups that are read at once.
const GROUP_READERS: usize = 8;

/// The most groups that a pass reads. Of the 250 reads that Azure accumulates, 50 are left for later, and in the 15 s that
/// reading may take, Azure grants 25 more a second.
const MAX_LOOKS: usize = 250 - 50 + 15 * 25;

/// Reads of groups a second between passes, and how many a pass may make however recent the last one was.
const LOOKS_PER_SECOND: usize = 18;
const LEAST_LOOKS: usize = 50;

/// How long each answer of a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    pub name: &'static str,
    /// A page of a list of Azure Resource Manager.
    pub list: Duration,
    /// A GET of a group, or a read of its log.
    pub get: Duration,
    /// A PUT or a DELETE.
    pub write: Duration,
    /// Of Service Bus: connecting, a token, attaching a link, a page.
    pub service_bus: Duration,
}

impl Latency {
    pub const NONE: Self = Self::new("none", [0, 0, 0, 0]);
    pub const EVEN: Self = Self::new("100 / 30 ms", [100, 100, 100, 30]);
    /// The latencies of Azure's recorded answers.
    pub const RECORDED: Self = Self::new("as recorded", [500, 300, 4000, 30]);

    const fn new(name: &'static str, [list, get, write, service_bus]: [u64; 4]) -> Self {
        Self {
            name,
            list: Duration::from_millis(list),
            get: Duration::from_millis(get),
            write: Duration::from_millis(write),
            service_bus: Duration::from_millis(service_bus),
        }
    }
}

/// How many requests of each kind a pass makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub group_lists: usize,
    pub group_reads: usize,
    pub subscription_lists: usize,
    pub puts: usize,
    pub logs: usize,
    pub deletes: usize,
    pub connects: usize,
    pub tokens: usize,
    pub attaches: usize,
    pub peeks: usize,
}

impl Calls {
    /// The requests that the rules demand: one list, a read of every group that may have ended as far as the allowance for reads
    /// goes, a look-up and a PUT for a create, log, look-up and DELETE for a delete, a token on the kept connection, and peeks
    /// until the service has no more messages or there is a new one for each free slot.
    pub fn needed(scenario: &Scenario) -> Self {
        let creates = scenario.creates();
        Self {
            group_lists: groups(scenario).div_ceil(GROUPS_PAGE).max(1),
            group_reads: looks(scenario) + creates + scenario.terminal,
            subscription_lists: scenario.subscriptions.div_ceil(SUBSCRIPTIONS_PAGE).max(1),
            puts: creates,
            logs: scenario.terminal,
            deletes: scenario.terminal,
            // The connection and its links are kept from the first pass.
            connects: 0,
            attaches: 0,
            tokens: 1,
            peeks: scenario.subscriptions * pages(scenario)
                + if ends_are_read(scenario) { 0 } else { scenario.terminal },
        }
    }

    pub fn arm(&self) -> usize {
        self.group_lists + self.group_reads + self.subscription_lists + self.puts + self.logs + self.deletes
    }

    pub fn service_bus(&self) -> usize {
        self.connects + self.tokens + self.attaches + self.peeks
    }
}

fn groups(scenario: &Scenario) -> usize {
    scenario.running + scenario.terminal
}

/// The groups that a pass reads.
fn looks(scenario: &Scenario) -> usize {
    let granted = usize::try_from(scenario.since_last_pass.as_secs()).unwrap_or(MAX_LOOKS) * LOOKS_PER_SECOND;
    groups(scenario).min(granted.clamp(LEAST_LOOKS, MAX_LOOKS))
}

/// The pages of one subscription, with the empty one if the end must be seen.
fn pages(scenario: &Scenario) -> usize {
    (scenario.served + scenario.new).div_ceil(MESSAGES_PAGE) + usize::from(ends_are_read(scenario))
}

/// Whether subscriptions are read to the end. They are not if new messages fill all free slots before; then the messages of
/// terminal groups are looked up one by one.
fn ends_are_read(scenario: &Scenario) -> bool {
    scenario.served + scenario.new == 0 || scenario.new < scenario.free()
}

/// The critical path of a pass with this many concurrent creates and, after them, this many concurrent deletes.
pub fn critical_path(scenario: &Scenario, workers: usize, latency: Latency) -> Duration {
    let Latency { list, get, write, service_bus, .. } = latency;
    let calls = Calls::needed(scenario);
    let times = |latency: Duration, count: usize| latency * u32::try_from(count).unwrap_or(u32::MAX);

    let listed = times(list, calls.group_lists);
    let looked = listed + times(get, looks(scenario).div_ceil(GROUP_READERS));
    // Listing subscriptions overlaps with connecting and putting a token; then the pairs of links are attached.
    let opened = times(list, calls.subscription_lists).max(times(service_bus, 2));
    let peeked = if scenario.subscriptions == 0 { 0 } else { 1 + pages(scenario) };
    // Only the list of groups shows whether a page after the first is necessary.
    let read_on = listed + times(service_bus, pages(scenario).saturating_sub(1));
    let observed = looked.max(opened + times(service_bus, peeked)).max(read_on);

    let ahead = |of: usize, reads: u32| if of == 0 { Duration::ZERO } else { get * reads };
    let created = ahead(calls.puts, 1) + times(write, calls.puts.div_ceil(workers));
    let deleted = ahead(calls.deletes, 2) + times(write, calls.deletes.div_ceil(workers));
    observed + created + deleted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(scenario: &Scenario, workers: usize, latency: Latency) -> u128 {
        critical_path(scenario, workers, latency).as_millis()
    }

    #[test]
    fn nothing_to_do_takes_a_list() {
        assert_eq!(path(&Scenario::EMPTY, 4, Latency::RECORDED), 500);
        assert_eq!(path(&Scenario::EMPTY, 4, Latency::EVEN), 100);
        assert_eq!(path(&Scenario::EMPTY, 4, Latency::NONE), 0);
    }

    #[test]
    fn creates_take_a_put_for_as_many_as_there_are_workers_and_one_look_up() {
        let of = |new| Scenario { subscriptions: 1, new, max_instances: 200, ..Scenario::EMPTY };
        let more = |new, workers| path(&of(new), workers, Latency::RECORDED) - path(&of(0), workers, Latency::RECORDED);
        // Another page of messages takes 30 ms.
        assert_eq!(more(4, 4), 300 + 4000 + 30);
        assert_eq!(more(5, 4), 300 + 2 * 4000 + 30);
        assert_eq!(more(160, 16), 300 + 10 * 4000 + 30);
        let calls = Calls::needed(&of(160));
        assert_eq!((calls.puts, calls.group_reads, calls.peeks), (160, 160, 2));
    }

    #[test]
    fn deletes_take_a_log_and_a_look_up_once_besides_the_deletes() {
        let of = |terminal| Scenario { terminal, max_instances: 5, ..Scenario::EMPTY };
        // One of them also takes a round of reads.
        assert_eq!(path(&of(1), 4, Latency::RECORDED), 500 + 300 + 2 * 300 + 4000);
        assert_eq!(path(&of(8), 4, Latency::RECORDED), 500 + 300 + 2 * 300 + 2 * 4000);
        assert_eq!(Calls::needed(&of(8)).group_reads, 2 * 8);
    }

    #[test]
    fn groups_are_looked_at_as_far_as_the_allowance_goes() {
        let of =
            |running, seconds| Scenario { running, since_last_pass: Duration::from_secs(seconds), ..Scenario::EMPTY };
        let looks = |running, seconds| Calls::needed(&of(running, seconds)).group_reads;
        assert_eq!([looks(40, 0), looks(200, 0), looks(200, 12), looks(1000, 60)], [40, 50, 200, 575]);
        assert_eq!(path(&of(200, 12), 4, Latency::RECORDED), 4 * 500 + 25 * 300);
    }

    #[test]
    fn messages_are_read_until_there_is_a_new_one_for_each_free_slot() {
        let scenario = Scenario { subscriptions: 1, served: 100_000, new: 1, running: 1, ..Scenario::EMPTY };
        let peeks = |max_instances| Calls::needed(&Scenario { max_instances, ..scenario.clone() }).peeks;
        assert_eq!([peeks(2), peeks(3)], [401, 402]);
        let many_groups = Scenario { running: 1000, max_instances: 1001, ..scenario };
        // 20 pages of groups, then all pages of messages but the first, then a look-up and a PUT.
        assert_eq!(path(&many_groups, 4, Latency::EVEN), 20 * 100 + 400 * 30 + 2 * 100);
    }
}
