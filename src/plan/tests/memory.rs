//! Scenarios of what a process remembers: deleted records, and messages to look up.

use super::*;
use crate::container_group::ContainerState;
use crate::message::FileSizeMb;

/// A group of message 5 that was tagged as waiting more than half an hour ago.
fn stuck(since: &str) -> ObservedGroup {
    let mut observed = attempt("a", 5, 1, waiting());
    observed.tags_mut().insert("waiting_since".into(), since.into());
    observed
}

const AN_HOUR_AGO: &str = "2026-01-05T09:00:00Z";

fn pass(memory: &Memory, seconds: i64, groups: Vec<ObservedGroup>) -> Plan {
    planned_by(&policy(9), memory, at(seconds), groups, vec![subscription("a", messages(5..=5))])
}

fn message_5(subscription: &str) -> MessageAddress {
    MessageAddress { subscription: subscription.into(), sequence_number: 5, message_id: MessageId::new("m5").ok() }
}

/// How many attempts at message 5 are remembered.
fn remembered(plan: &Plan) -> Option<u32> {
    plan.memory.deleted_records.get(&message_5("a")).map(|record| record.attempt.number)
}

#[test]
fn an_attempt_whose_group_had_to_go_counts_before_the_next_one() {
    let first = pass(&Memory::default(), 0, vec![stuck(AN_HOUR_AGO)]);
    let next = pass(&first.memory, 250, vec![attempt("a", 5, 1, exited(1, 200))]);
    let group = Some(GroupName::parse("a-m5-1").unwrap());
    let end = AttemptEnd { exit_code: Some(1), since: Some(at(200)), ..AttemptEnd::default() };
    assert_eq!(*outcome(&next), MessageOutcome::BackingOff { attempt: 2, until: at(320), group, end });
}

#[test]
fn a_group_that_is_still_there_after_it_had_to_go_counts_once_and_another_of_its_name_again() {
    let first = pass(&Memory::default(), 0, vec![stuck(AN_HOUR_AGO)]);
    let again = pass(&first.memory, 60, vec![stuck(AN_HOUR_AGO)]);
    assert_eq!((remembered(&first), remembered(&again)), (Some(1), Some(1)));
    let another = pass(&again.memory, 7200, vec![stuck("2026-01-05T11:00:00Z")]);
    assert_eq!(reasons(&another), [("a-m5-1", DeleteReason::Stuck)]);
    assert_eq!(remembered(&another), Some(2));
}

#[test]
fn a_group_whose_provisioning_failed_records_its_attempt_no_longer_than_a_group_is_given_to_start() {
    let failing = |number, attempts, containers: ContainerState| {
        let mut observed = attempt("a", number, attempts, containers);
        observed.group_mut().provisioning_state = "Failed".into();
        observed.tags_mut().insert("ended_since".into(), "2026-01-05T10:00:00Z".into());
        observed
    };
    // Message 5 gets no further attempt, and Azure may still go on with the group of its last one.
    let parked = |seconds, containers| pass(&Memory::default(), seconds, vec![failing(5, 10, containers)]);
    assert_eq!(reasons(&parked(1799, waiting())), []);
    assert_eq!(reasons(&parked(1800, exited(1, 0))), [], "it has ended");
    let gone = parked(1800, waiting());
    assert_eq!(reasons(&gone), [("a-m5-10", DeleteReason::Stuck)]);
    let next = pass(&gone.memory, 1860, Vec::new());
    let MessageOutcome::Parked { attempts: 10, group: None, end } = outcome(&next) else {
        panic!("{:?}", outcome(&next))
    };
    assert_eq!((end.reason.as_deref(), end.since), (Some("provisioning failed"), Some(at(0))));

    let replaced = pass(&Memory::default(), 1800, vec![failing(5, 1, waiting())]);
    assert_eq!(
        (reasons(&replaced), attempts_created(&replaced)),
        (vec![], vec![2]),
        "it goes after its successor came"
    );
}

#[test]
fn a_record_stays_while_its_successor_may_have_to_go_before_the_pass_has_ended() {
    let policy = policy_with(|settings| settings.aci.max_runtime = Some(std::time::Duration::from_mins(10)));
    let goes = |successor: ObservedGroup, seconds| {
        let groups = vec![attempt("a", 5, 1, exited(1, -9000)), successor];
        let plan =
            planned_by(&policy, &Memory::default(), at(seconds), groups, vec![subscription("a", messages(5..=5))]);
        reasons(&plan) == [("a-m5-1", DeleteReason::Superseded)]
    };
    let starting = || {
        let mut observed = attempt("a", 5, 2, waiting());
        observed.tags_mut().insert("waiting_since".into(), "2026-01-05T10:00:00Z".into());
        observed
    };
    let five_minutes = 300;
    assert!(goes(starting(), 1800 - five_minutes) && !goes(starting(), 1801 - five_minutes), "it may get stuck");
    let running = || attempt("a", 5, 2, running(0));
    assert!(goes(running(), 600 - five_minutes) && !goes(running(), 601 - five_minutes), "it may overrun");
    assert!(goes(attempt("a", 5, 2, exited(1, 0)), 600), "it has ended");
}

#[test]
fn what_was_seen_of_a_group_dates_no_other_of_its_name() {
    let undated = |tagged: bool| {
        let mut observed = attempt("a", 5, 1, waiting());
        observed.group_mut().provisioning_state = "Failed".into();
        if tagged {
            observed.tags_mut().insert("ended_since".into(), "2026-01-05T10:00:00Z".into());
        }
        observed
    };
    let began_again = |started: i64| {
        let mut observed = attempt("a", 5, 1, exited(1, started + 1));
        observed.group_mut().containers[0].state.as_mut().unwrap().finished_at = None;
        observed
    };
    let until = |first: ObservedGroup, then: ObservedGroup| {
        let first = pass(&Memory::default(), 0, vec![first]);
        let MessageOutcome::BackingOff { until, .. } = *outcome(&pass(&first.memory, 50, vec![then])) else {
            panic!("it waits")
        };
        until
    };
    assert_eq!(until(undated(false), undated(false)), at(60), "it is the same");
    assert_eq!(until(undated(true), undated(false)), at(110), "a tag does not go by itself");
    assert_eq!(until(undated(false), began_again(40)), at(110), "it cannot have started after its end");
    assert_eq!(until(began_again(-9), began_again(-9)), at(60), "it is the same");
}

#[test]
fn a_quarter_of_the_cap_is_left_to_records_and_8_at_least() {
    assert_eq!([1, 32, 36, 100].map(groups::retention::limit), [9, 40, 45, 125]);
}

#[test]
fn a_record_that_is_evicted_counts_after_what_was_forgone_before() {
    let first = pass(&Memory::default(), 0, vec![stuck(AN_HOUR_AGO)]);
    // Ten records are one more than a cap of 1 leaves room for; the one with the fewest attempts is deleted.
    let mut records: Vec<_> = (10..19).map(|number| attempt("a", number, 2, exited(1, 200))).collect();
    records.push(attempt("a", 5, 1, exited(1, 200)));
    let all: Vec<_> = std::iter::once(5).chain(10..19).map(|number| message(number, &format!("m{number}"))).collect();
    let plan = planned_by(&policy(1), &first.memory, at(201), records, vec![subscription("a", all)]);
    assert_eq!(reasons(&plan), [("a-m5-1", DeleteReason::Evicted)]);
    assert_eq!(remembered(&plan), Some(2));
}

#[test]
fn what_was_forgone_is_remembered_until_its_message_is_known_to_be_gone() {
    let first = pass(&Memory::default(), 0, vec![stuck(AN_HOUR_AGO)]);
    let then = |observed| planned_by(&policy(9), &first.memory, at(60), Vec::new(), vec![observed]);
    let failed = Read::Failed(PeekError::Unavailable { reason: "dropped".into() });
    assert_eq!(remembered(&then(subscription("a", Vec::new()))), None);
    assert_eq!(remembered(&then(read_to("a", Vec::new(), 4, &[]))), Some(1));
    assert_eq!(remembered(&then(ObservedSubscription { read: failed, ..read_to("a", Vec::new(), 9, &[]) })), Some(1));
    assert_eq!(remembered(&then(subscription("b", Vec::new()))), None, "with its subscription");
}

#[test]
fn what_cannot_be_counted_is_not_remembered() {
    let mut nameless = stuck(AN_HOUR_AGO);
    nameless.tags_mut().remove("sequence_number");
    let plan = pass(&Memory::default(), 0, vec![nameless]);
    assert_eq!(reasons(&plan), [("a-m5-1", DeleteReason::Stuck)]);
    assert_eq!(plan.memory.deleted_records.len(), 0);
    let uncounted = policy_with(|settings| settings.processing.retry_backoff = std::time::Duration::ZERO);
    let subscriptions = vec![subscription("a", messages(5..=5))];
    let plan = planned_by(&uncounted, &Memory::default(), NOW, vec![stuck(AN_HOUR_AGO)], subscriptions);
    assert_eq!(reasons(&plan), [("a-m5-1", DeleteReason::Stuck)]);
    assert_eq!(plan.memory.deleted_records.len(), 0);
}

#[test]
fn messages_are_looked_for_beyond_the_read_and_those_of_running_groups_if_orphans_are_to_go() {
    let groups = [
        attempt("a", 5, 1, exited(0, 0)),
        attempt("a", 6, 1, exited(0, 0)),
        attempt("a", 7, 1, running(0)),
        attempt("a", 8, 1, waiting()),
        attempt("b", 9, 1, exited(0, 0)),
    ];
    let to_look_up = |delete_orphans| {
        let policy = policy_with(|settings| settings.processing.delete_orphans = delete_orphans);
        Reading::of(&groups, &Memory::default(), &policy, NOW).to_look_up(&"A".into(), 5)
    };
    assert_eq!(to_look_up(false), [6]);
    assert_eq!(to_look_up(true), [6, 7]);
}

#[test]
fn an_attempt_that_had_to_go_after_a_record_is_counted_once() {
    let record = || attempt("a", 5, 1, exited(1, -7200));
    let second = |since: &str| {
        let mut observed = attempt("a", 5, 2, waiting());
        observed.tags_mut().insert("waiting_since".into(), since.into());
        observed
    };
    let first = pass(&Memory::default(), 0, vec![record(), second(AN_HOUR_AGO)]);
    assert_eq!((reasons(&first), remembered(&first)), (vec![("a-m5-2", DeleteReason::Stuck)], Some(2)));
    let next = pass(&first.memory, 7200, vec![record(), second("2026-01-05T11:00:00Z")]);
    assert_eq!((reasons(&next), remembered(&next)), (vec![("a-m5-2", DeleteReason::Stuck)], Some(3)));
    let last = pass(&next.memory, 10_000, vec![record(), attempt("a", 5, 2, exited(1, 10_000))]);
    assert!(matches!(outcome(&last), MessageOutcome::BackingOff { attempt: 4, .. }), "{:?}", outcome(&last));
}

#[test]
fn an_undated_end_that_is_to_go_is_dated_and_counted_once() {
    // Ten records are one more than a cap of 1 leaves room for.
    let records = || {
        let undated = |number| {
            let mut observed = attempt("a", number, 1, waiting());
            observed.group_mut().provisioning_state = "Failed".into();
            observed
        };
        (5..15).map(undated).collect()
    };
    let pass = |memory: &Memory, seconds| {
        planned_by(&policy(1), memory, at(seconds), records(), vec![subscription("a", messages(5..=14))])
    };
    let first = pass(&Memory::default(), 0);
    let again = pass(&first.memory, 30);
    assert_eq!(reasons(&first), [("a-m10-1", DeleteReason::Evicted)]);
    assert_eq!(reasons(&again), reasons(&first), "its delete has failed");
    let last = again.memory.deleted_records
        [&MessageAddress { sequence_number: 10, message_id: MessageId::new("m10").ok(), ..message_5("a") }]
        .attempt;
    assert_eq!((last.number, last.ended_at), (1, NOW));
}

#[test]
fn an_undated_end_that_went_does_not_date_that_of_another_message_of_its_id() {
    let undated = |number: &str| {
        let tags = [("subscription_name", "a"), ("message_id", "m5"), ("sequence_number", number)];
        let mut observed = group("a-m5-1", &tags, "Waiting");
        observed.group_mut().provisioning_state = "Failed".into();
        observed
    };
    let first =
        planned_by(&policy(9), &Memory::default(), NOW, vec![undated("4")], vec![subscription("a", Vec::new())]);
    assert_eq!(reasons(&first), [("a-m5-1", DeleteReason::Finished)]);
    let next = pass(&first.memory, 60, vec![undated("5")]);
    assert!(
        matches!(outcome(&next), MessageOutcome::BackingOff { until, .. } if *until == at(120)),
        "{:?}",
        outcome(&next)
    );
}

#[test]
fn a_message_whose_record_was_deleted_waits_for_the_group_of_another_message_of_its_id() {
    let first = pass(&Memory::default(), 0, vec![stuck(AN_HOUR_AGO)]);
    let tags = [("subscription_name", "a"), ("message_id", "m5"), ("sequence_number", "4"), ("keep", "true")];
    let next = pass(&first.memory, 3600, vec![group("a-m5-1", &tags, "Terminated")]);
    assert!(matches!(outcome(&next), MessageOutcome::Finished { .. }), "its name may be taken");
    assert_eq!(attempts_created(&pass(&next.memory, 3600, Vec::new())), [1]);
}

#[test]
fn before_the_groups_are_read_messages_count_that_can_get_one_and_have_none() {
    let policy = policy(2);
    let groups = [attempt("a", 1, 1, exited(1, 0))];
    let deferred = PeekedMessage { state: MessageState::Deferred, ..message(2, "m2") };
    let sizeless = PeekedMessage { file_size_mb: FileSizeMb::from_text("much"), ..message(3, "m3") };
    let is_met_by = |messages: &[PeekedMessage]| {
        let reading = Reading::of(&groups, &Memory::default(), &policy, NOW);
        reading.first_demand(&"a".into()).is_met_by(messages)
    };
    let others = [message(1, "m1"), deferred, sizeless, message(4, "m4"), message(5, "m4")];
    assert!(!is_met_by(&others), "one of them");
    assert!(is_met_by(&[others.as_slice(), &[message(6, "m6")]].concat()), "two of them");
}
