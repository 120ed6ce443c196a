//! Scenarios of messages whose workers run out of memory: each path of the rule, and where it ends.

use super::*;
use crate::container_group::{Container, ContainerState, Ownership};
use crate::test_support::memory;

/// The record of an attempt at message 1 whose worker had this many GB and ran out of them.
fn ran_out(number: u32, gb: &str) -> ObservedGroup {
    failed(number, gb, ContainerState { detail_status: Some("OOMKilled".into()), ..exited(137, 0) })
}

/// The record of an attempt at message 1 whose worker had this many GB.
fn failed(number: u32, gb: &str, state: ContainerState) -> ObservedGroup {
    let mut observed = attempt("a", 1, number, state);
    observed.group_mut().containers[0].memory = Some(memory(gb));
    observed
}

/// The same after an attempt that ran out of less.
fn after_running_out_of(gb: &str, mut observed: ObservedGroup) -> ObservedGroup {
    observed.tags_mut().insert("ran_out_of_gb".into(), gb.into());
    observed
}

fn next_of(policy: &Policy, groups: Vec<ObservedGroup>) -> Plan {
    planned_by(policy, &Memory::default(), at(100_000), groups, vec![subscription("a", messages(1..=1))])
}

/// Attempt, memory and the tag that says why, of the only group to be created.
fn created_as(plan: &Plan) -> (String, String, Option<&str>) {
    let spec = &plan.creates[0].spec;
    let tag = |key: &str| spec.tags.get(key).map(String::as_str);
    (tag("attempt").unwrap().to_owned(), spec.memory.to_string(), tag("ran_out_of_gb"))
}

fn next(groups: Vec<ObservedGroup>) -> (String, String, Option<String>) {
    let plan = next_of(&policy(10), groups);
    let (attempt, memory, tag) = created_as(&plan);
    (attempt, memory, tag.map(str::to_owned))
}

fn is(attempt: &str, memory: &str, tag: Option<&str>) -> (String, String, Option<String>) {
    (attempt.into(), memory.into(), tag.map(str::to_owned))
}

#[test]
fn after_running_out_of_memory_the_next_attempt_has_twice_as_much_and_a_tag_that_says_so() {
    assert_eq!(next(vec![ran_out(1, "1")]), is("2", "2", Some("1")));
    assert_eq!(next(vec![after_running_out_of("1", ran_out(2, "2"))]), is("3", "4", Some("2")));
    let killed = ContainerState { detail_status: Some("Out of memory".into()), ..exited(137, 0) };
    assert_eq!(next(vec![failed(1, "1", killed)]), is("2", "2", Some("1")));
}

#[test]
fn after_any_other_end_the_next_attempt_has_what_its_file_needs() {
    for state in [exited(1, 0), exited(137, 0), exited(0, 0)] {
        assert_eq!(next(vec![failed(1, "1", state.clone())]), is("2", "1", None));
        // Nor is the memory of another setting kept.
        assert_eq!(next(vec![failed(1, "16", state)]), is("2", "1", None));
    }
    let mut provisioning = failed(1, "1", waiting());
    provisioning.group_mut().provisioning_state = "Failed".into();
    provisioning.tags_mut().insert("ended_since".into(), "2026-01-05T10:00:00Z".into());
    assert_eq!(next(vec![provisioning]), is("2", "1", None));
    let mut beside = failed(1, "1", exited(1, 0));
    let killed = ContainerState { detail_status: Some("OOMKilled".into()), ..exited(137, 0) };
    let sidecar =
        Container { name: "sidecar".into(), state: Some(killed), events: Vec::new(), memory: Some(memory("1")) };
    beside.group_mut().containers.push(sidecar);
    assert_eq!(next(vec![beside]), is("2", "1", None), "only its sidecar ran out");
}

#[test]
fn what_has_been_learned_outlives_attempts_that_fail_otherwise() {
    let second = after_running_out_of("1", failed(2, "2", exited(1, 0)));
    assert_eq!(next(vec![second]), is("3", "2", Some("1")));
    let third = after_running_out_of("1", failed(3, "2", exited(1, 0)));
    assert_eq!(next(vec![third]), is("4", "2", Some("1")));
    // A policy may write the tag's name in another case.
    let mut second = failed(2, "2", exited(1, 0));
    second.tags_mut().insert("Ran_Out_Of_Gb".into(), "1".into());
    assert_eq!(next(vec![second]), is("3", "2", Some("1")));
}

#[test]
fn an_attempt_that_ran_out_of_less_than_one_before_it_takes_nothing_back() {
    assert_eq!(next(vec![after_running_out_of("4", ran_out(3, "1"))]), is("4", "8", Some("4")));
}

#[test]
fn a_factor_of_1_is_off_and_any_other_is_rounded_up_to_a_tenth() {
    let with = |factor: &str, groups| {
        let policy = policy_with(|settings| settings.aci.oom_memory_factor = factor.parse().unwrap());
        let plan = next_of(&policy, groups);
        let (attempt, memory, tag) = created_as(&plan);
        (attempt, memory, tag.map(str::to_owned))
    };
    assert_eq!(with("1", vec![ran_out(1, "1")]), is("2", "1", None));
    assert_eq!(with("1", vec![after_running_out_of("1", ran_out(2, "2"))]), is("3", "1", None), "even if it was on");
    assert_eq!(with("1.5", vec![ran_out(1, "1")]), is("2", "1.5", Some("1")));
    assert_eq!(with("1.25", vec![ran_out(1, "1.5")]), is("2", "1.9", Some("1.5")));
}

#[test]
fn memory_grows_no_further_than_the_most_of_its_recipe() {
    let at_most = |gb: &str, groups| {
        let plan = next_of(&policy_with(|settings| settings.aci.max_memory = memory(gb)), groups);
        let (attempt, memory, tag) = created_as(&plan);
        (attempt, memory, tag.map(str::to_owned))
    };
    assert_eq!(at_most("1.5", vec![ran_out(1, "1")]), is("2", "1.5", Some("1")));
    assert_eq!(at_most("1.5", vec![after_running_out_of("1", ran_out(2, "1.5"))]), is("3", "1.5", Some("1.5")));
    // The maximum has been lowered since.
    assert_eq!(at_most("4", vec![ran_out(1, "16")]), is("2", "4", Some("16")));
}

#[test]
fn memory_grows_no_further_than_the_most_of_its_subscription() {
    let overrides = r#"{"a": {"max_memory_gb": 1.7}, "*": {"max_memory_gb": 100}}"#;
    let variables = ::test_support::environment::with(&[("ACI_SUBSCRIPTION_OVERRIDES", overrides)]);
    let policy = Policy::new(&crate::settings::Settings::from_environment(&variables).unwrap());
    assert_eq!(created_as(&next_of(&policy, vec![ran_out(1, "1")])), ("2".into(), "1.7".into(), Some("1")));
}

#[test]
fn cores_by_size_follow_the_memory_of_the_next_attempt() {
    let policy = policy_with(|settings| {
        (settings.aci.default_cpu, settings.aci.cpu_multiplier) = ("0.1".parse().unwrap(), "4".parse().unwrap());
    });
    let cores = |groups| next_of(&policy, groups).creates[0].spec.cpu.to_string();
    assert_eq!(cores(vec![failed(1, "1", exited(1, 0))]), "0.5");
    assert_eq!(cores(vec![ran_out(1, "1")]), "1");
}

#[test]
fn attempts_and_back_offs_are_what_they_are_without() {
    let pass = |seconds| {
        let groups = vec![ran_out(2, "2")];
        planned_by(&policy(10), &Memory::default(), at(seconds), groups, vec![subscription("a", messages(1..=1))])
    };
    let MessageOutcome::BackingOff { attempt: 2, until, end, .. } = outcome(&pass(119)).clone() else { panic!() };
    assert_eq!((until, end.ran_out_of_gb, end.exit_code), (at(120), Some(memory("2")), Some(137)));
    assert_eq!(attempts_created(&pass(120)), [3]);
    let parked = next_of(&policy(10), vec![ran_out(10, "240")]);
    let MessageOutcome::Parked { attempts: 10, end, .. } = outcome(&parked) else { panic!("{parked:?}") };
    assert_eq!(end.ran_out_of_gb, Some(memory("240")));
}

#[test]
fn processes_that_remember_different_things_ask_for_the_same_group() {
    let second = || after_running_out_of("1", failed(2, "2", exited(1, 0)));
    let messages = || vec![subscription("a", messages(1..=1))];
    let fresh = next_of(&policy(10), vec![second()]);
    let before = planned_by(&policy(10), &Memory::default(), at(1), vec![ran_out(1, "1"), second()], messages());
    let remembering = planned_by(&policy(10), &before.memory, at(100_000), vec![second()], messages());
    assert_eq!(format!("{:?}", fresh.creates[0].spec), format!("{:?}", remembering.creates[0].spec));
    // A process whose list still shows the record before it.
    let late = next_of(&policy(10), vec![ran_out(1, "1"), second()]);
    assert_eq!(format!("{:?}", fresh.creates[0].spec), format!("{:?}", late.creates[0].spec));
}

#[test]
fn without_the_record_memory_is_what_the_file_needs_whoever_remembers_more() {
    let messages = || vec![subscription("a", messages(1..=1))];
    let seen = planned_by(&policy(10), &Memory::default(), at(1), vec![ran_out(1, "1")], messages());
    let gone = planned_by(&policy(10), &seen.memory, at(100_000), Vec::new(), messages());
    let later = planned_by(&policy(10), &gone.memory, at(100_100), Vec::new(), messages());
    let (_, memory, tag) = created_as(&later);
    assert_eq!((memory.as_str(), tag), ("1", None), "somebody has deleted it");
    assert_eq!(next(Vec::new()), is("1", "1", None));
}

#[test]
fn after_a_successor_that_did_not_start_the_record_before_it_says_how_large_the_next_is() {
    // The second attempt was stuck and is deleted; this process remembers it, another does not.
    let stuck = || after_running_out_of("1", failed(2, "2", waiting()));
    let mut tagged = stuck();
    tagged.tags_mut().insert("waiting_since".into(), "2026-01-05T10:00:00Z".into());
    let messages = || vec![subscription("a", messages(1..=1))];
    let groups = vec![ran_out(1, "1"), tagged];
    let plan = planned_by(&policy(10), &Memory::default(), at(3600), groups, messages());
    assert_eq!(reasons(&plan), [("a-m1-2", DeleteReason::Stuck)]);
    for memory in [plan.memory, Memory::default()] {
        let again = planned_by(&policy(10), &memory, at(100_000), vec![ran_out(1, "1")], messages());
        assert_eq!(created_as(&again), ("2".into(), "2".into(), Some("1")));
    }
}

#[test]
fn a_message_that_is_sent_again_under_the_same_id_begins_with_what_its_file_needs() {
    let resent = || vec![subscription("a", vec![message(2, "m1")])];
    let plan = planned_by(&policy(10), &Memory::default(), at(100_000), vec![ran_out(1, "1")], resent());
    assert!(matches!(outcome(&plan), MessageOutcome::Finished { .. }));
    let plan = planned_by(&policy(10), &plan.memory, at(100_001), Vec::new(), resent());
    assert_eq!(created_as(&plan), ("1".into(), "1".into(), None));
}

#[test]
fn an_untagged_record_says_how_large_the_next_is_by_what_it_asks_for() {
    let recipe = policy(10).recipe;
    let stem = recipe.stem(&"a".into(), &MessageId::new("m1").unwrap());
    let mut record = ran_out(3, "2");
    record.group_mut().name = GroupName::parse(&format!("{stem}-3")).unwrap();
    record.group_mut().tags.clear();
    record.group_mut().ownership = Ownership::Untagged;
    assert_eq!(next(vec![record]), is("4", "4", Some("2")));
}

#[test]
fn without_a_back_off_no_record_stays_and_nothing_is_learned() {
    let policy = policy_with(|settings| settings.processing.retry_backoff = std::time::Duration::ZERO);
    let plan = next_of(&policy, vec![ran_out(1, "1")]);
    assert_eq!(reasons(&plan), [("a-m1-1", DeleteReason::Finished)]);
    assert_eq!(created_as(&next_of(&policy, Vec::new())), ("1".into(), "1".into(), None));
}

#[test]
fn a_plan_says_how_large_the_next_group_is_and_after_what() {
    let plan = next_of(&policy(10), vec![ran_out(1, "1")]);
    let planned = serde_json::to_value(plan.creates[0].planned()).unwrap();
    assert_eq!((&planned["memory_gb"], &planned["ran_out_of_gb"]), (&2.0.into(), &1.0.into()));
    let first = next_of(&policy(10), Vec::new()).creates[0].planned();
    assert_eq!(serde_json::to_value(first).unwrap().get("ran_out_of_gb"), None);
}

#[test]
fn the_one_that_a_breaker_lets_through_may_be_one_that_has_more_memory_than_before_although_new_ones_come() {
    let others = |word: &str| {
        let state = ContainerState { detail_status: Some(word.to_owned()), ..exited(137, 0) };
        (1..=3).map(move |number| {
            let mut observed = attempt("a", number, 1, state.clone());
            observed.group_mut().containers[0].memory = Some(memory("1"));
            observed
        })
    };
    let probe = |word: &str, most: &str| {
        let policy = policy_with(|settings| settings.aci.max_memory = memory(most));
        let groups = others(word).collect();
        let plan = planned_by(&policy, &Memory::default(), at(3600), groups, vec![subscription("a", messages(1..=9))]);
        created(&plan)
    };
    assert_eq!(probe("OOMKilled", "240"), ["a/m1"]);
    assert_eq!(probe("Error", "240"), ["a/m4"], "others have not failed yet");
    assert_eq!(probe("OOMKilled", "1"), ["a/m4"], "it would have no more than before");
}
