//! Scenarios of whole passes that read groups again before deleting them, look them up before creating them, and tag them.

use super::*;
use crate::container_group::{GroupName, tag};
use crate::test_support::NOW;

fn tags(number: &'static str) -> [(&'static str, &'static str); 3] {
    [(tag::SUBSCRIPTION_NAME, "a"), (tag::MESSAGE_ID, "gone"), (tag::SEQUENCE_NUMBER, number)]
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_read_does_not_come_to_is_looked_up_at_its_own_sequence_number() {
    let deep = |settings: &mut Settings| settings.aci.max_instances = 1;
    let (scaler, calls) = scaler([("a", messages(1..=1000))], deep);
    scaler.services.groups.put("busy", &[], "Running");
    scaler.services.groups.put("there", &[tags("900")[0], (tag::MESSAGE_ID, "m900"), tags("900")[2]], "Terminated");
    scaler.services.groups.put("gone", &tags("2000"), "Terminated");
    let report = pass(&scaler).await;
    assert_eq!(only(&calls, &["peek", "delete"]), ["peek a 1 250", "peek a 900 1", "peek a 2000 1", "delete gone"]);
    assert_eq!(report.message_counts["backing_off"], 1);
    assert_eq!(report.group_counts["record"], 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_messages_are_looked_up_than_there_is_time_for() {
    let (scaler, calls) = scaler([("a", messages(1..=1000))], |settings| settings.aci.max_instances = 0);
    for number in 2000..2101 {
        let number = number.to_string();
        let tags = [(tag::SUBSCRIPTION_NAME, "a"), (tag::MESSAGE_ID, "x"), (tag::SEQUENCE_NUMBER, &number)];
        scaler.services.groups.put(&format!("g{number}"), &tags, "Terminated");
    }
    let report = pass(&scaler).await;
    assert_eq!(only(&calls, &["peek"]).len(), 101);
    assert_eq!((report.group_counts["deleted"], report.group_counts["message_unknown"]), (100, 1));
    assert_eq!(pass(&scaler).await.group_counts["deleted"], 1, "the rest is looked up by the next pass");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_has_changed_since_it_was_observed_stays() {
    let (scaler, calls) = scaler([("a", Vec::new())], |_| {});
    let groups = &scaler.services.groups;
    for change in ["at work", "another message's", "kept", "gone"] {
        groups.put("done", &tags("1"), "Terminated");
        // The pass reads it once, and finds it changed when it reads it again.
        groups.change_after_get(match change {
            "at work" => |groups| groups.put("done", &tags("1"), "Running"),
            "another message's" => |groups| groups.put("done", &tags("2"), "Terminated"),
            "kept" => {
                |groups| groups.put("done", &[tags("1")[0], tags("1")[1], tags("1")[2], ("keep", "true")], "Terminated")
            }
            _ => |groups| groups.groups.lock().unwrap().clear(),
        });
        assert_eq!(pass(&scaler).await.groups[0].outcome, GroupOutcome::Changed, "{change}");
        assert_eq!(only(&calls, &["delete"]), Vec::<String>::new(), "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_group_that_has_begun_to_run_or_been_replaced_since_stays() {
    const STUCK: [(&str, &str); 2] = [(tag::SUBSCRIPTION_NAME, "a"), (tag::WAITING_SINCE, "2026-01-05T09:00:00Z")];
    const ANOTHER: [(&str, &str); 2] = [(tag::SUBSCRIPTION_NAME, "a"), (tag::WAITING_SINCE, "2026-01-05T09:59:00Z")];
    const TAKEN: [(&str, &str); 3] = [STUCK[0], STUCK[1], (tag::ACI_SCALER, "another")];
    let changes: [(fakes::Change, bool); 5] = [
        (|groups| groups.put("late", &TAKEN, "Waiting"), false),
        (|groups| groups.put("late", &STUCK, "Waiting"), true),
        (|groups| groups.put("late", &STUCK, "Terminated"), true),
        (|groups| groups.put("late", &STUCK, "Running"), false),
        (|groups| groups.put("late", &ANOTHER, "Waiting"), false),
    ];
    for (change, goes) in changes {
        let (scaler, calls) = scaler([("a", Vec::new())], |_| {});
        scaler.services.groups.put("late", &STUCK, "Waiting");
        scaler.services.groups.change_after_get(change);
        let outcome = &pass(&scaler).await.groups[0].outcome;
        assert_eq!(matches!(outcome, GroupOutcome::Deleted { because: DeleteReason::Stuck, .. }), goes, "{outcome:?}");
        assert_eq!(only(&calls, &["delete"]).len(), usize::from(goes));
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_a_tag_dates_is_not_remembered_for_another_group_of_the_name() {
    const TAGS: [(&str, &str); 3] =
        [(tag::SUBSCRIPTION_NAME, "a"), (tag::MESSAGE_ID, "m1"), (tag::SEQUENCE_NUMBER, "1")];
    let now = Arc::new(Mutex::new(NOW));
    let (mut scaler, _) = scaler([("a", messages(1..=1))], |_| {});
    scaler.clock = Clock::from_fn({
        let now = now.clone();
        move || *now.lock().unwrap()
    });
    let backs_off_until = |report: Report| match report.messages[0].outcome {
        MessageOutcome::BackingOff { until, .. } => until,
        ref other => panic!("{other:?}"),
    };
    // A container that ended, with no date from Azure.
    scaler.services.groups.put(M1, &TAGS, "Terminated");
    assert_eq!(backs_off_until(pass(&scaler).await), NOW + Duration::from_mins(1));
    *now.lock().unwrap() += Duration::from_secs(50);
    scaler.services.groups.put(M1, &TAGS, "Terminated");
    assert_eq!(backs_off_until(pass(&scaler).await), NOW + Duration::from_secs(110));
    *now.lock().unwrap() += Duration::from_secs(50);
    assert_eq!(backs_off_until(pass(&scaler).await), NOW + Duration::from_secs(110), "as its own tag says");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_created_is_there_although_no_list_shows_it() {
    let (mut scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    scaler.services.groups.lists_nothing = true;
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("created", 1)]));
    calls.take();
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("running", 1)]));
    assert_eq!(only(&calls, &["get"]).len(), 1);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("running", 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_asked_for_and_has_another_owner_since_is_none_of_ours() {
    let (mut scaler, _) = scaler([("a", messages(1..=1))], |_| {});
    pass(&scaler).await;
    scaler.services.groups.lists_nothing = true;
    scaler.services.groups.put(M1, &[(tag::ACI_SCALER, "another")], "Terminated");
    assert_eq!(pass(&scaler).await.groups.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_marked_with_all_its_other_tags_left_and_unmarked_when_it_is_none() {
    let (mut scaler, calls) = scaler([("a", Vec::new())], |settings| settings.processing.delete_orphans = true);
    scaler.services.groups.put("busy", &tags("1"), "Running");
    pass(&scaler).await;
    assert_eq!(
        only(&calls, &["peek", "get", "tag"]),
        ["peek a 1 250", "get busy", "peek a 1 1", "get busy", "tag busy"]
    );
    let tags_of = |scaler: &FakeScaler| {
        let group = scaler.services.groups.groups.lock().unwrap()[&GroupName::parse("busy").unwrap()].clone();
        (group.tag(tag::ORPHANED_SINCE).map(str::to_owned), group.tags.len())
    };
    assert_eq!(tags_of(&scaler), (Some("2026-01-05T10:00:00Z".to_owned()), 4));
    pass(&scaler).await;
    assert_eq!(only(&calls, &["tag"]).len(), 0, "once is enough");
    let mut found = messages(1..=1);
    found[0].message_id = crate::message::MessageId::new("gone");
    scaler.services.messages.messages.insert("a", found);
    pass(&scaler).await;
    assert_eq!(tags_of(&scaler), (None, 3));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_on_the_strength_of_what_was_seen_a_backoff_ago() {
    let slowly = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::MIN;
    let (scaler, _) = scaler([("a", messages(1..=200))], |settings| {
        slowly(settings);
        settings.processing.retry_backoff = Duration::from_secs(20);
    });
    let report = pass(&scaler).await;
    // Creates get 15 of 20 s and take 100 ms each. Reading and the first look-up took 300 ms of these.
    assert_eq!(report.message_counts, BTreeMap::from([("created", 148), ("waiting_deadline", 52)]));
}

#[tokio::test(start_paused = true)]
async fn what_a_pass_has_seen_is_known_to_the_next_one_unless_it_only_planned() {
    let now = std::sync::Arc::new(std::sync::Mutex::new(NOW));
    let (mut scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    scaler.clock = Clock::from_fn({
        let now = now.clone();
        move || *now.lock().unwrap()
    });
    scaler.services.groups.put(M1, &[tags("1")[0], (tag::MESSAGE_ID, "m1"), tags("1")[2]], "Waiting");
    scaler.pass(Mode::PlanOnly, &Deadline::after(scaler.pass_deadline())).await.unwrap();
    assert!(scaler.memory.lock().conditions.is_empty());
    for (minutes, call) in [(2, format!("tag {M1}")), (30, format!("delete {M1}"))] {
        pass(&scaler).await;
        *now.lock().unwrap() += time::Duration::minutes(minutes);
        pass(&scaler).await;
        assert_eq!(only(&calls, &["tag", "delete"]), [call]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_is_made_only_while_the_record_of_the_last_one_is_as_it_was() {
    let of_m1 = [tags("1")[0], (tag::MESSAGE_ID, "m1"), tags("1")[2], (tag::ATTEMPT, "1")];
    let changes: [Option<fakes::Change>; 4] = [
        None,
        Some(|groups| groups.put(M1, &[], "Running")),
        Some(|groups| groups.groups.lock().unwrap().clear()),
        // An operator restarts the count.
        Some(|groups| {
            let mut groups = groups.groups.lock().unwrap();
            groups.values_mut().next().unwrap().tags.insert(tag::RETRY.to_owned(), "true".to_owned());
        }),
    ];
    for (change, outcome) in changes.into_iter().zip(["created", "changed", "changed", "changed"]) {
        let (mut scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
        scaler.clock = Clock::from_fn(|| NOW + time::Duration::HOUR);
        scaler.services.groups.put(M1, &of_m1, "Terminated");
        scaler.services.groups.end(M1);
        if let Some(change) = change {
            scaler.services.groups.change_after_get(change);
        }
        assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([(outcome, 1)]));
        let second = M1.replace("-1", "-2");
        let expected: &[_] = if outcome == "created" { &[format!("create {second}")] } else { &[] };
        assert_eq!(only(&calls, &["create"]), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_somebody_else_deletes_counts_as_an_attempt_and_is_reported() {
    let (scaler, _) = scaler([("a", messages(1..=1))], |_| {});
    pass(&scaler).await;
    scaler.services.groups.groups.lock().unwrap().clear();
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("backing_off", 1)]));
    let troubles = report.troubles();
    assert_eq!(troubles[0].kind, TroubleKind::Vanished, "{troubles:?}");
    assert_eq!(troubles[0].items[0].group.as_ref().map(GroupName::as_str), Some(M1), "{troubles:?}");
}

#[tokio::test(start_paused = true)]
async fn ages_go_by_azures_clock_and_nothing_is_deleted_for_its_age_while_ours_differs() {
    let (mut scaler, _) = scaler([("a", Vec::new())], |settings| {
        settings.aci.max_runtime = Some(Duration::from_mins(10));
    });
    let clock = Arc::new(std::sync::Mutex::new(NOW));
    scaler.clock = Clock::from_fn({
        let clock = clock.clone();
        move || *clock.lock().unwrap()
    });
    scaler.services.groups.put(M1, &tags("1"), "Running");
    let start = |at| {
        let mut groups = scaler.services.groups.groups.lock().unwrap();
        groups.values_mut().next().unwrap().containers[0].state.as_mut().unwrap().started_at = Some(at);
    };
    start(NOW);
    let azure_says = |after: Duration| *scaler.services.groups.time.lock().unwrap() = Some(NOW + after);
    let ahead = |after: Duration| *clock.lock().unwrap() = NOW + after;
    // This machine's clock is 40 minutes ahead.
    azure_says(Duration::from_mins(1));
    ahead(Duration::from_mins(41));
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("active", 1)]));
    // The group has run too long, but the clocks still differ.
    azure_says(Duration::from_mins(11));
    ahead(Duration::from_mins(8));
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("active", 1)]));
    // A difference of a minute is tolerated.
    ahead(Duration::from_mins(10));
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("deleted", 1)]));
}

/// A scaler that takes 1.3 s to read its 100 groups at first, and a message that arrives after one second.
fn with_groups_and_a_late_message(there: Vec<crate::message::PeekedMessage>) -> (FakeScaler, Calls) {
    let (mut scaler, calls) = scaler([("a", there)], |_| {});
    (0..100).for_each(|number| scaler.services.groups.put(&format!("running-{number}"), &[], "Running"));
    let late = messages(7..=7).remove(0);
    scaler.services.messages.comes_in = Some((Instant::now() + Duration::from_millis(1200), "a", late));
    (scaler, calls)
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_while_groups_are_looked_at_gets_its_group_in_the_same_pass() {
    for (there, peeks) in [
        (messages(1..=3), &["peek a 1 250", "peek a 4 250", "peek a 8 250"][..]),
        (Vec::new(), &["peek a 1 250", "peek a 1 250", "peek a 8 250"]),
    ] {
        let created = there.len() + 1;
        let (scaler, calls) = with_groups_and_a_late_message(there);
        assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("created", created)]));
        assert_eq!(only(&calls, &["peek"]), peeks);
    }
}

#[tokio::test(start_paused = true)]
async fn a_depth_that_is_reached_is_not_exceeded_by_a_late_look() {
    let (mut scaler, calls) = with_groups_and_a_late_message(messages(1..=3));
    scaler.settings.peek_depth = NonZeroU32::new(3).unwrap();
    pass(&scaler).await;
    assert_eq!(only(&calls, &["peek"]), ["peek a 1 3"]);
}
