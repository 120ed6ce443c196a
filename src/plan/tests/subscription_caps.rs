//! Scenarios of subscriptions that have caps of their own.

use super::*;
use crate::container_group::{Override, Overrides, SubscriptionPattern};

fn entry(pattern: &str, max_instances: Option<u32>) -> Override {
    Override {
        pattern: SubscriptionPattern::parse(pattern).unwrap(),
        image: None,
        cpu: None,
        cpu_multiplier: None,
        max_cpu: None,
        memory_multiplier: None,
        min_memory: None,
        max_memory: None,
        max_instances,
        template: None,
    }
}

fn pass(entries: &[(&str, Option<u32>)], cap: u32, groups: Vec<ObservedGroup>) -> Plan {
    let policy = policy_with(|settings| {
        settings.aci.max_instances = cap;
        settings.group.overrides = Overrides::new(entries.iter().map(|(name, max)| entry(name, *max)).collect());
    });
    let subscriptions = ["a", "b"].map(|name| subscription(name, messages(1..=5)));
    planned_by(&policy, &Memory::default(), NOW, groups, subscriptions.into())
}

#[test]
fn a_subscription_gets_no_more_than_its_cap_and_the_others_share_the_rest_in_turns() {
    let plan = pass(&[("A", Some(1))], 4, Vec::new());
    assert_eq!(created(&plan), ["a/m1", "b/m1", "b/m2", "b/m3"]);
    let running = pass(&[("a", Some(1))], 4, vec![attempt("a", 1, 1, running(0))]);
    assert_eq!(created(&running), ["b/m1", "b/m2", "b/m3"], "its running group counts");
    let none = pass(&[("*", Some(0))], 4, Vec::new());
    assert!(created(&none).is_empty() && none.reserves.is_empty());
    assert!(none.messages.iter().all(|(_, outcome)| *outcome == MessageOutcome::WaitingCapacity));
}

#[test]
fn what_takes_the_place_of_a_refused_group_keeps_the_cap_of_its_subscription_too() {
    let plan = pass(&[("a", Some(2))], 2, Vec::new());
    assert_eq!(created(&plan), ["a/m1", "b/m1"]);
    let reserves: Vec<_> = plan.reserves.iter().filter(|create| create.message.subscription == "a".into()).collect();
    assert_eq!(reserves.len(), 1, "one more of a, and then no other");
}

#[test]
fn the_most_specific_entry_that_has_a_cap_decides() {
    let plan = pass(&[("*", Some(1)), ("b*", None), ("b", Some(3))], 9, Vec::new());
    assert_eq!(created(&plan), ["a/m1", "b/m1", "b/m2", "b/m3"]);
    let plan = pass(&[("*", Some(1)), ("b", None)], 9, Vec::new());
    assert_eq!(created(&plan), ["a/m1", "b/m1"], "an entry without a cap leaves it to the next");
}
