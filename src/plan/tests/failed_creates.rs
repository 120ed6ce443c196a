//! Scenarios of messages whose groups could not be created.

use super::*;

fn address(number: i64) -> MessageAddress {
    MessageAddress {
        subscription: "a".into(),
        sequence_number: number,
        message_id: MessageId::new(format!("m{number}")).ok(),
    }
}

fn new_group() -> std::sync::Arc<ContainerGroup> {
    attempt("a", 1, 1, waiting()).group
}

fn cause(code: &str, kind: FailureKind) -> FailureCause {
    FailureCause { code: code.to_owned(), reason: format!("because of {code}"), kind }
}

/// What is remembered when creates for these messages have failed at [`NOW`], in this order.
fn failed(failures: &[(i64, &str, FailureKind)]) -> Memory {
    let mut memory = Memory::default();
    for (number, code, kind) in failures {
        memory.create_failed(address(*number), cause(code, *kind), NOW);
    }
    memory
}

fn pass(memory: &Memory, seconds: i64, max_instances: u32, numbers: std::ops::RangeInclusive<i64>) -> Plan {
    let subscriptions = vec![subscription("a", messages(numbers)), subscription("b", messages(1..=1))];
    planned_by(&policy(max_instances), memory, at(seconds), Vec::new(), subscriptions)
}

fn outcome_of(plan: &Plan, number: i64) -> &MessageOutcome {
    let of_it = |(message, _): &&(MessageAddress, MessageOutcome)| *message == address(number);
    &plan.messages.iter().find(of_it).unwrap().1
}

#[test]
fn a_message_whose_create_failed_leaves_its_slot_to_others_and_waits_longer_each_time() {
    for kind in [FailureKind::AboutMessage, FailureKind::Refused, FailureKind::Passing] {
        let mut memory = Memory::default();
        for (count, (seconds, wait)) in (1..).zip([(0, 60), (60, 120), (180, 240), (420, 480)]) {
            memory.create_failed(address(1), cause("X", kind), at(seconds));
            let held = pass(&memory, seconds + wait - 1, 1, 1..=2);
            let until = at(seconds + wait);
            let expected = MessageOutcome::CreateBackingOff { until, failures: count, reason: "because of X".into() };
            assert_eq!((created(&held), outcome_of(&held, 1)), (vec!["a/m2".to_owned()], &expected), "{kind:?}");
            assert_eq!(created(&pass(&held.memory, seconds + wait, 1, 1..=2)), ["a/m1"]);
        }
    }
}

#[test]
fn a_failure_is_forgotten_when_its_message_is_gone_or_has_its_group() {
    let memory = failed(&[(1, "X", FailureKind::Refused)]);
    assert_eq!(pass(&memory, 1, 9, 2..=2).memory.create_failures.len(), 0);
    let mut memory = pass(&memory, 1, 9, 1..=1).memory;
    assert_eq!(memory.create_failures.len(), 1);
    memory.create_succeeded(address(1), new_group(), at(60));
    assert_eq!(memory.create_failures.len(), 0);
}

#[test]
fn a_success_forgives_what_may_pass_once_and_nothing_else() {
    let mut memory = failed(&[(1, "500", FailureKind::Passing), (2, "X", FailureKind::Refused)]);
    memory.create_succeeded(address(3), new_group(), at(1));
    assert_eq!(created(&pass(&memory, 2, 9, 1..=2)), ["a/m1", "b/m1"]);
    memory.create_failed(address(1), cause("500", FailureKind::Passing), at(2));
    memory.create_succeeded(address(3), new_group(), at(3));
    assert_eq!(created(&pass(&memory, 4, 9, 1..=2)), ["b/m1"], "it has failed again since");
}

#[test]
fn after_three_alike_one_message_is_tried_in_a_pass_and_others_in_their_turn() {
    let alike = |codes: [&str; 3]| {
        failed(&[1, 2, 3].map(|n| (n, codes[usize::try_from(n - 1).unwrap()], FailureKind::Refused)))
    };
    let mut memory = alike(["X", "X", "X"]);
    let first = pass(&memory, 1, 9, 1..=5);
    assert_eq!(created(&first), ["a/m4", "b/m1"], "one that has not failed yet");
    let held = MessageOutcome::HeldByFailedCreates { reason: "because of X".into() };
    assert_eq!([1, 2, 3, 5].map(|number| outcome_of(&first, number).clone()), [(); 4].map(|()| held.clone()));
    for number in [4, 5] {
        memory.create_failed(address(number), cause("X", FailureKind::Refused), at(1));
    }
    assert_eq!(created(&pass(&memory, 2, 9, 1..=5)), ["a/m1", "b/m1"], "although all are backing off");
    memory.create_failed(address(1), cause("X", FailureKind::Refused), at(2));
    assert_eq!(created(&pass(&memory, 3, 9, 1..=5)), ["a/m2", "b/m1"]);
    assert_eq!(created(&pass(&alike(["X", "Y", "X"]), 1, 9, 1..=5)), ["a/m4", "b/m1", "a/m5"], "for several reasons");
}

#[test]
fn refusals_for_what_messages_are_say_nothing_of_others() {
    let memory = failed(&[1, 2, 3].map(|number| (number, "InvalidTag", FailureKind::AboutMessage)));
    assert_eq!(created(&pass(&memory, 1, 9, 1..=5)), ["a/m4", "b/m1", "a/m5"]);
}

#[test]
fn a_success_ends_the_holding_of_its_subscription() {
    let mut memory = failed(&[1, 2, 3].map(|number| (number, "X", FailureKind::Refused)));
    memory.create_succeeded(address(4), new_group(), at(1));
    assert_eq!(created(&pass(&memory, 2, 9, 5..=7)), ["a/m5", "b/m1", "a/m6", "a/m7"]);
}

#[test]
fn the_next_in_line_stand_by_for_the_slots_of_those_that_azure_refuses() {
    let reserves =
        |plan: &Plan| -> Vec<_> { plan.reserves.iter().map(|create| create.message.sequence_number).collect() };
    let plan = pass(&Memory::default(), 0, 2, 1..=4);
    assert_eq!((created(&plan), reserves(&plan)), (vec!["a/m1".to_owned(), "b/m1".to_owned()], vec![2, 3, 4]));
    let failing = failed(&[1, 2, 3].map(|number| (number, "X", FailureKind::Refused)));
    assert_eq!(reserves(&pass(&failing, 1, 2, 1..=9)), [0; 0], "one is tried at a time");
    let full = planned(1, vec![group_of("a", "x", "Running")], vec![subscription("a", messages(1..=4))]);
    assert_eq!(reserves(&full), [0; 0]);
}

#[test]
fn where_tags_are_rewritten_one_group_is_created_in_a_pass() {
    let memory = Memory { tags_are_rewritten: true, ..Memory::default() };
    let plan = pass(&memory, 0, 9, 1..=4);
    assert_eq!(created(&plan), ["a/m1"]);
    assert!(plan.memory.tags_are_rewritten, "until an answer shows that they are not");
}
