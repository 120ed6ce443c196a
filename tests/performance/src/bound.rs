//! The least time a pass can take with the latencies that the services have.
//!
//! Everything that does not need another answer is taken to run side by side, as far as the rules allow: 8 reads of
//! groups at once, as many creates and deletes as there are workers.

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

/// What each answer of a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Of Azure Resource Manager.
    pub arm: Duration,
    /// Of Service Bus: connecting, a token, attaching a link, a page.
    pub service_bus: Duration,
}

impl Latency {
    pub const NONE: Self = Self { arm: Duration::ZERO, service_bus: Duration::ZERO };
    pub const USUAL: Self = Self { arm: Duration::from_millis(100), service_bus: Duration::from_millis(30) };
}

/// How often something is asked of the services in a pass.
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
    /// What the rules need: one list, a look at every group that may have ended, a look-up and a PUT for a create, log,
    /// look-up and DELETE for a delete, one connection and token, a pair of links for a subscription, and peeks until the
    /// service says that there is no more or until there is a new message for each free slot.
    pub fn needed(scenario: &Scenario) -> Self {
        let groups = scenario.running + scenario.terminal;
        let creates = scenario.creates();
        Self {
            group_lists: groups.div_ceil(GROUPS_PAGE).max(1),
            group_reads: groups + creates + scenario.terminal * LOOK_UPS_BEFORE_DELETE,
            subscription_lists: scenario.subscriptions.div_ceil(SUBSCRIPTIONS_PAGE).max(1),
            puts: creates,
            logs: scenario.terminal,
            deletes: scenario.terminal,
            // They are the first pass's still.
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

/// How often a group is looked at again right before it is deleted.
const LOOK_UPS_BEFORE_DELETE: usize = 1;

/// Pages of one subscription, the empty one included if the end has to be seen.
fn pages(scenario: &Scenario) -> usize {
    (scenario.served + scenario.new).div_ceil(MESSAGES_PAGE) + usize::from(ends_are_read(scenario))
}

/// Whether subscriptions are read to their ends, which they are not when there are new messages for all free slots
/// before. What has become of the messages of terminal groups is looked up one by one then.
fn ends_are_read(scenario: &Scenario) -> bool {
    scenario.served + scenario.new == 0 || scenario.new < scenario.free()
}

/// The critical path of a pass.
pub fn critical_path(scenario: &Scenario, latency: Latency) -> Duration {
    let Latency { arm, service_bus } = latency;
    let calls = Calls::needed(scenario);
    let times = |latency: Duration, count: usize| latency * u32::try_from(count).unwrap_or(u32::MAX);

    let groups = times(arm, calls.group_lists + (scenario.running + scenario.terminal).div_ceil(GROUP_READERS));
    // Listing subscriptions, and connecting and putting a token, go side by side; then the pairs are attached.
    let opened = times(arm, calls.subscription_lists).max(times(service_bus, 2));
    let peeked = if scenario.subscriptions == 0 { 0 } else { 1 + pages(scenario) };
    let observed = groups.max(opened + times(service_bus, peeked));
    let created = times(arm, 2 * calls.puts.div_ceil(scenario.workers));
    let deleted = times(arm, (2 + LOOK_UPS_BEFORE_DELETE) * calls.deletes.div_ceil(scenario.workers));
    observed + created + deleted
}
