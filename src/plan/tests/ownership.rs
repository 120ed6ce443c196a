//! Scenarios of groups whose tags were rewritten.

use super::*;
use crate::container_group::{ContainerState, Ownership};

/// The group of an attempt at message 5 of subscription a, with rewritten tags.
fn untagged(attempt: u32, state: ContainerState) -> ObservedGroup {
    let stem = policy(1).recipe.stem(&"a".into(), &MessageId::new("m5").unwrap());
    let mut observed = group(&format!("{stem}-{attempt}"), &[("managed_by", "a-policy")], "");
    observed.group_mut().containers[0].state = Some(state);
    observed.group_mut().ownership = Ownership::Untagged;
    observed
}

fn pass(groups: Vec<ObservedGroup>, seconds: i64) -> Plan {
    let subscriptions = vec![subscription("a", messages(5..=6))];
    planned_by(&policy(1), &Memory::default(), at(seconds), groups, subscriptions)
}

#[test]
fn an_untagged_group_that_runs_holds_a_slot_and_is_its_messages_own() {
    let plan = pass(vec![untagged(1, running(0))], 1);
    assert_eq!(created(&plan), Vec::<String>::new());
    let outcomes: Vec<_> = plan.messages.iter().map(|(_, outcome)| <&str>::from(outcome)).collect();
    assert_eq!(outcomes, ["running", "waiting_capacity"]);
    assert_eq!(plan.groups[0].1, GroupOutcome::Untagged);
}

#[test]
fn an_untagged_group_that_has_ended_is_the_attempt_in_its_name_and_is_never_deleted() {
    let ended = || vec![untagged(3, exited(1, 0))];
    let early = pass(ended(), 239);
    assert_eq!(created(&early), ["a/m6"]);
    assert!(matches!(&early.messages[0].1, MessageOutcome::BackingOff { attempt: 3, .. }));
    let due = pass(ended(), 240);
    assert_eq!(attempts_created(&due), [4]);
    assert_eq!((deleted(&due), due.tag_changes.len()), (Vec::new(), 0));
    let parked = pass(vec![untagged(10, exited(1, 0))], 1_000_000);
    assert!(matches!(&parked.messages[0].1, MessageOutcome::Parked { attempts: 10, .. }));
}

#[test]
fn an_untagged_group_stays_however_long_it_runs_or_does_not_start() {
    let plan = pass(vec![untagged(1, waiting())], 1_000_000);
    assert_eq!((deleted(&plan), plan.tag_changes.len()), (Vec::new(), 0));
}

#[test]
fn that_a_subscription_is_not_listed_means_nothing_for_tags_that_may_be_anybodys() {
    let of = |ownership, name: &str| {
        let mut observed = attempt("gone", 5, 1, exited(0, 0));
        observed.group_mut().ownership = ownership;
        observed.group_mut().name = GroupName::parse(name).unwrap();
        deleted(&planned(9, vec![observed], Vec::new())).len()
    };
    let ours = policy(1).recipe.stem(&"gone".into(), &MessageId::new("m5").unwrap());
    assert_eq!(of(Ownership::Tagged, "x"), 1);
    assert_eq!(of(Ownership::TaggedByEarlierVersion, "x"), 0);
    assert_eq!(of(Ownership::TaggedByEarlierVersion, &format!("{ours}-1")), 1, "its name is the hash of its tags");
}

#[test]
fn an_untagged_group_whose_end_azure_does_not_date_is_dated_by_the_first_pass_that_sees_it() {
    let undated = || vec![untagged(1, ContainerState { finished_at: None, ..exited(1, 0) })];
    let first = pass(undated(), 0);
    let subscriptions = vec![subscription("a", messages(5..=5))];
    let next = planned_by(&policy(1), &first.memory, at(60), undated(), subscriptions);
    assert_eq!(attempts_created(&next), [2]);
}

#[test]
fn without_a_backoff_the_group_after_an_untagged_one_has_another_name() {
    let policy = policy_with(|settings| settings.processing.retry_backoff = std::time::Duration::ZERO);
    let pass = |attempt| {
        let subscriptions = vec![subscription("a", messages(5..=5))];
        planned_by(&policy, &Memory::default(), NOW, vec![untagged(attempt, exited(1, 0))], subscriptions)
    };
    assert_eq!(attempts_created(&pass(1)), [2]);
    assert!(matches!(outcome(&pass(10)), MessageOutcome::Parked { attempts: 10, .. }));
}
