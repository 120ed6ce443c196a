//! The lives of container groups: since when their messages waited, when they were requested, how long they ran, and what
//! that costs.
//!
//! Azure bills a group from the pull of its image to its end, for the memory and the cores that it requests. This process does
//! not know what an earlier one saw; a figure that needs it is left out, or is a lower bound.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::container_group::{ContainerGroup, GroupName, Phase};
use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::DeleteReason;
use crate::sync::Mutex;

/// The most messages whose cost is remembered: as many as memory has attempts.
const MAX_COSTS: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Lives(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    groups: HashMap<GroupName, Beginning>,
    /// For each message, the cost of the attempts whose ends this process saw.
    costs: BTreeMap<MessageAddress, Cost>,
    /// The cost of the groups whose ends were seen since the last report.
    unreported: Cost,
}

/// How a group's life began.
#[derive(Clone, Copy, Debug, Default)]
struct Beginning {
    /// When its message was enqueued.
    enqueued_at: Option<OffsetDateTime>,
    /// When it was requested.
    created_at: Option<OffsetDateTime>,
}

/// What Azure bills, in the units of its price list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    pub gb_seconds: f64,
    pub vcpu_seconds: f64,
}

/// The figures of a group's life, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// From when its message was enqueued until it ran.
    pub(super) waited_seconds: Option<f64>,
    /// From the request until it ran.
    pub(super) started_after_seconds: Option<f64>,
    pub(super) ran_seconds: Option<f64>,
    pub(super) memory_gb: Option<f64>,
    pub(super) cpu: Option<f64>,
    pub(super) cost: Option<Cost>,
}

/// How a group ended, or ends now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) failed: bool,
    pub(super) exit_code: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) started_at: Option<OffsetDateTime>,
    pub(super) ended_at: Option<OffsetDateTime>,
}

impl End {
    /// The end of a group that has ended, or that is deleted for this reason.
    pub(super) fn of(group: &ContainerGroup, because: Option<DeleteReason>, now: OffsetDateTime) -> Self {
        let (exit_code, cause, started_at) = (group.exit_code(), group.cause(), group.first_start());
        match (group.phase(), because) {
            (Phase::Ended(ending), _) => {
                // An end that Azure does not date may be long ago. A date slightly in the future is a matter of clocks.
                let ended_at = ending.at.filter(|at| *at <= now + Duration::MINUTE);
                Self { failed: !ending.success, exit_code, reason: cause, started_at, ended_at }
            }
            (phase, because) => {
                let reason = match (because, phase) {
                    (Some(DeleteReason::Orphaned), _) => "its message is gone",
                    (Some(DeleteReason::Overran), _) => "it ran for longer than ACI_MAX_RUNTIME_MINUTES",
                    (_, Phase::Starting) => "it did not start within ACI_PROVISIONING_TIMEOUT_MINUTES",
                    _ => "it was deleted",
                };
                let failed = because != Some(DeleteReason::Orphaned);
                let reason = Some(cause.unwrap_or_else(|| reason.to_owned()));
                Self { failed, exit_code, reason, started_at, ended_at: Some(now) }
            }
        }
    }
}

impl Lives {
    /// Notes that a message has this group.
    pub(super) fn has_group(&self, group: &GroupName, enqueued_at: Option<OffsetDateTime>) {
        let mut known = self.0.lock();
        let beginning = known.groups.entry(group.clone()).or_default();
        beginning.enqueued_at = enqueued_at.or(beginning.enqueued_at);
    }

    /// Notes that a group has just been created.
    pub(super) fn created(&self, group: &GroupName, now: OffsetDateTime) {
        self.0.lock().groups.entry(group.clone()).or_default().created_at = Some(now);
    }

    /// Forgets all other groups.
    pub(super) fn retain(&self, groups: &BTreeSet<&GroupName>) {
        self.0.lock().groups.retain(|name, _| groups.contains(name));
    }

    /// The figures of a group that has ended. Its cost is added to its message's.
    pub(super) fn settle(&self, group: &ContainerGroup, message: Option<&MessageAddress>, end: &End) -> Figures {
        let mut known = self.0.lock();
        let beginning = known.groups.get(&group.name).copied().unwrap_or_default();
        let figures = figures(group, beginning, end);
        if let Some(cost) = figures.cost {
            known.unreported = known.unreported.plus(cost);
            if let Some(message) = message
                && (known.costs.len() < MAX_COSTS || known.costs.contains_key(message))
            {
                let sum = known.costs.entry(message.clone()).or_default();
                *sum = sum.plus(cost);
            }
        }
        figures
    }

    /// The cost of the attempts at a message so far.
    pub(super) fn cost_of(&self, message: &MessageAddress) -> Option<Cost> {
        self.0.lock().costs.get(message).copied()
    }

    /// The cost of the attempts at the messages of a subscription, or of all, so far.
    pub(super) fn cost_in(&self, subscription: Option<&SubscriptionName>) -> Option<Cost> {
        let known = self.0.lock();
        let of_it = known.costs.iter().filter(|(message, _)| subscription.is_none_or(|of| message.subscription == *of));
        of_it.map(|(_, cost)| *cost).reduce(Cost::plus)
    }

    /// The cost of the groups whose ends were seen since the last call.
    pub(super) fn take_cost(&self) -> Cost {
        std::mem::take(&mut self.0.lock().unreported)
    }

    /// Forgets the cost of a message that needs no further attempt.
    pub(super) fn close_account(&self, message: &MessageAddress) {
        self.0.lock().costs.remove(message);
    }
}

impl Cost {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            gb_seconds: rounded(self.gb_seconds + other.gb_seconds),
            vcpu_seconds: rounded(self.vcpu_seconds + other.vcpu_seconds),
        }
    }
}

/// A lower bound of the cost of a group that has ended, from what Azure says about it alone.
pub(super) fn least_cost(group: &ContainerGroup, end: &End) -> Option<Cost> {
    figures(group, Beginning::default(), end).cost
}

/// A lower bound of the cost of a group until now, or until its end, from what Azure says about it alone.
pub(crate) fn cost_so_far(group: &ContainerGroup, now: OffsetDateTime) -> Option<Cost> {
    least_cost(group, &End::of(group, None, now))
}

fn figures(group: &ContainerGroup, beginning: Beginning, end: &End) -> Figures {
    let events = group.containers.iter().flat_map(|container| &container.events);
    let by_events = events.filter_map(|event| event.first_at).min();
    let created_at = [beginning.created_at, by_events].into_iter().flatten().min();
    let seconds = |from: Option<OffsetDateTime>, to: Option<OffsetDateTime>| {
        Some(rounded((to? - from?).max(Duration::ZERO).as_seconds_f64()))
    };
    let billed = seconds(created_at.or(end.started_at), end.ended_at);
    let number = |amount: Decimal| amount.to_f64();
    let (memory_gb, cpu) = group.size.map_or((None, None), |size| (number(size.memory_gb), number(size.cpu)));
    let cost =
        |billed: f64| Some(Cost { gb_seconds: rounded(memory_gb? * billed), vcpu_seconds: rounded(cpu? * billed) });
    Figures {
        waited_seconds: seconds(beginning.enqueued_at, end.started_at),
        started_after_seconds: seconds(created_at, end.started_at),
        ran_seconds: seconds(end.started_at, end.ended_at),
        memory_gb,
        cpu,
        cost: billed.and_then(cost),
    }
}

/// Rounds to a tenth, which is exact enough for seconds.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_group::{ContainerEvent, GroupSize};
    use crate::test_support::{NOW, exited, group};

    fn at(seconds: i64) -> OffsetDateTime {
        NOW + Duration::seconds(seconds)
    }

    fn ended() -> (ContainerGroup, End) {
        let mut group = group("g", &[], "Succeeded", &[Some(exited(Some(1), 20, Some(80)))]);
        group.size = Some(GroupSize { memory_gb: Decimal::new(15, 1), cpu: Decimal::TWO });
        let end = End { started_at: Some(at(20)), ended_at: Some(at(80)), ..End::default() };
        (group, end)
    }

    #[test]
    fn a_life_is_billed_from_the_pull_of_the_image_to_its_end_and_adds_up_by_message() {
        let (mut group, end) = ended();
        group.containers[0].events =
            vec![ContainerEvent { name: "Pulling".into(), first_at: Some(at(10)), ..ContainerEvent::default() }];
        let lives = Lives::default();
        lives.has_group(&group.name, Some(at(-40)));
        lives.created(&group.name, at(12));
        let message = MessageAddress { subscription: "a".into(), sequence_number: 1, message_id: None };
        let expected = Figures {
            waited_seconds: Some(60.0),
            started_after_seconds: Some(10.0),
            ran_seconds: Some(60.0),
            memory_gb: Some(1.5),
            cpu: Some(2.0),
            cost: Some(Cost { gb_seconds: 105.0, vcpu_seconds: 140.0 }),
        };
        assert_eq!(lives.settle(&group, Some(&message), &end), expected);
        lives.settle(&group, Some(&message), &end);
        let twice = Cost { gb_seconds: 210.0, vcpu_seconds: 280.0 };
        assert_eq!((lives.cost_of(&message), lives.take_cost()), (Some(twice), twice));
        assert_eq!(lives.take_cost(), Cost::default());
    }

    #[test]
    fn what_an_earlier_process_saw_is_left_out() {
        let (group, end) = ended();
        let figures = Lives::default().settle(&group, None, &end);
        assert_eq!((figures.waited_seconds, figures.started_after_seconds), (None, None));
        assert_eq!(figures.cost, Some(Cost { gb_seconds: 90.0, vcpu_seconds: 120.0 }));
    }
}
