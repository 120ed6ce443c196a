//! Scenarios of slow deletes and changes of tags.

use super::*;

const SLOW: Duration = Duration::from_secs(4);

/// A scaler with this many workers and ended groups.
fn with_ended(groups: usize, workers: usize, change: impl FnOnce(&mut Settings)) -> (FakeScaler, Calls) {
    let (scaler, calls) = scaler([("a", Vec::new())], |settings| {
        settings.processing.max_workers = NonZeroUsize::new(workers).unwrap();
        change(settings);
    });
    (0..groups).for_each(|number| scaler.services.groups.put_ended(&format!("done-{number:02}")));
    (scaler, calls)
}

#[tokio::test(start_paused = true)]
async fn logs_and_look_ups_run_ahead_of_the_deletes_so_that_only_the_first_take_time() {
    for delete in [Duration::from_millis(100), SLOW] {
        for (groups, workers) in [(1, 1), (10, 1), (10, 4), (50, 16)] {
            let (mut scaler, calls) = with_ended(groups, workers, |_| {});
            scaler.services.groups.delete_latency = Some(delete);
            let report = pass(&scaler).await;
            assert_eq!(report.group_counts, BTreeMap::from([("deleted", groups)]));
            let rounds = u128::try_from(groups.div_ceil(workers)).unwrap();
            assert_eq!(u128::from(report.steps.delete_ms), 200 + rounds * delete.as_millis(), "{workers} workers");
            assert_eq!(scaler.services.groups.most_deleting.load(Ordering::SeqCst), workers.min(groups));
            assert_eq!(only(&calls, &["get"]).len(), 2 * groups, "none is looked up in vain");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_is_more_than_5_s_old_is_made_again() {
    for (delete, look_ups) in [(4800, 3), (5200, 5)] {
        let (mut scaler, calls) = with_ended(3, 1, |_| {});
        scaler.services.groups.delete_latency = Some(Duration::from_millis(delete));
        assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("deleted", 3)]));
        assert_eq!(only(&calls, &["get"]).len() - 3, look_ups, "with {delete} ms a delete");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_later_look_up_shows_counts() {
    let (mut scaler, _) = with_ended(2, 1, |_| {});
    scaler.services.groups.delete_latency = Some(Duration::from_secs(6));
    let kept_by_somebody = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        scaler.services.groups.put("done-01", &[("keep", "true")], "Terminated");
    };
    let (report, ()) = tokio::join!(pass(&scaler), kept_by_somebody);
    assert_eq!(report.group_counts, BTreeMap::from([("changed", 1), ("deleted", 1)]));
}

#[tokio::test(start_paused = true)]
async fn where_names_are_used_again_at_once_the_look_up_is_right_before_the_delete() {
    let (mut scaler, calls) = with_ended(2, 1, |settings| settings.processing.retry_backoff = Duration::ZERO);
    scaler.services.groups.delete_latency = Some(SLOW);
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("deleted", 2)]));
    let expected = ["get done-00", "delete done-00", "get done-01", "delete done-01"];
    assert_eq!(only(&calls, &["get", "delete"])[2..], expected);
}

#[tokio::test(start_paused = true)]
async fn what_no_worker_came_to_before_the_deadline_waits_for_the_next_pass() {
    let (mut scaler, calls) = with_ended(9, 1, |_| {});
    scaler.services.groups.delete_latency = Some(SLOW);
    let report = scaler.pass(Mode::Apply, &Deadline::after(Duration::from_secs(10))).await.unwrap();
    assert_eq!(report.group_counts, BTreeMap::from([("delete_failed", 1), ("deleted", 2), ("waiting_deadline", 6)]));
    assert_eq!(only(&calls, &["delete"]).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn tags_are_changed_side_by_side() {
    let (mut scaler, calls) = scaler([("a", Vec::new())], |_| {});
    for number in 0..8 {
        scaler.services.groups.put(&format!("starting-{number}"), &[], "Waiting");
    }
    scaler.services.groups.tag_latency = Some(SLOW);
    let start = Instant::now();
    pass(&scaler).await;
    assert_eq!(only(&calls, &["tag"]).len(), 8);
    assert!(start.elapsed() < 2 * SLOW, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_wait_after_a_record_is_deleted_begins_when_azure_has_deleted_it() {
    let (mut scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    let start = tokio::time::Instant::now();
    scaler.clock = Clock::from_fn(move || NOW + start.elapsed());
    scaler.services.groups.delete_latency = Some(Duration::from_secs(100));
    let number = [("subscription_name", "a"), ("message_id", "m1"), ("sequence_number", "1")];
    let never_started = [("waiting_since", "2026-01-05T08:00:00Z")];
    scaler.services.groups.put("worker-0000000000000001-1", &[number.as_slice(), &never_started].concat(), "Waiting");
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("deleted", 1)]));
    calls.take();
    // By now the back-off of a minute is over, and half of one has to pass.
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("backing_off", 1)]));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("created", 1)]));
}
