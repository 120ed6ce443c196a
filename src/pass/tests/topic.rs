//! Scenarios of whole passes over topics that are partitioned, and over subscriptions that cannot be served.

use super::fakes::MakePage;
use super::*;
use crate::container_group::tag;
use crate::message::PeekedMessage;
use crate::services::{MessageCounts, Unserved};

/// This many messages in each of these partitions.
fn partitioned(partitions: &[i64], each: i64) -> Vec<PeekedMessage> {
    let numbers = partitions.iter().flat_map(|partition| (1..=each).map(move |number| (partition << 48) | number));
    numbers.flat_map(|number| messages(number..=number)).collect()
}

fn partition(message: &PeekedMessage) -> i64 {
    message.sequence_number >> 48
}

/// Only those of one partition, another one each time.
fn first_broker(mut page: Vec<PeekedMessage>, peeks: usize) -> Vec<PeekedMessage> {
    let mut brokers: Vec<_> = page.iter().map(partition).collect();
    brokers.dedup();
    let broker = brokers.get(peeks % brokers.len().max(1)).copied();
    page.retain(|message| Some(partition(message)) == broker);
    page
}

/// Only those of the first partition that has any.
fn one_partition(mut page: Vec<PeekedMessage>, _: usize) -> Vec<PeekedMessage> {
    let first = page.first().map(partition);
    page.retain(|message| Some(partition(message)) == first);
    page
}

/// Those of all partitions in turn.
fn interleaved(mut page: Vec<PeekedMessage>, _: usize) -> Vec<PeekedMessage> {
    page.sort_by_key(|message| (message.sequence_number & ((1 << 48) - 1), message.sequence_number));
    page
}

/// Those of all partitions, in another order each time.
fn unsorted(mut page: Vec<PeekedMessage>, peeks: usize) -> Vec<PeekedMessage> {
    page.sort_by_key(|message| {
        message.sequence_number.wrapping_add(peeks.cast_signed() as i64).wrapping_mul(0x5851_F42D_4C95_7F2D) >> 16
    });
    page
}

const ORDERS: [(&str, MakePage); 4] = [
    ("first broker", first_broker),
    ("one partition a page", one_partition),
    ("interleaved", interleaved),
    ("unsorted", unsorted),
];

fn counted(scaler: &mut FakeScaler, name: &str, active: u64) {
    scaler.services.subscriptions.listed(name).counts = Some(MessageCounts { active, dead_letters: 0 });
}

#[tokio::test(start_paused = true)]
async fn all_messages_of_a_partitioned_topic_are_read_each_once_whatever_its_pages_have() {
    for (order, page) in ORDERS {
        let all = partitioned(&[0, 3, 7, 38], 100);
        let (mut scaler, _) = scaler([("a", all)], |settings| settings.aci.max_instances = 5000);
        scaler.services.messages.page = Some(page);
        counted(&mut scaler, "a", 400);
        let report = pass(&scaler).await;
        assert_eq!(report.message_counts, BTreeMap::from([("created", 400)]), "{order}");
        assert!(report.subscriptions[0].to_the_end, "{order}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_partitioned_topic_is_reached_only_when_the_count_agrees_and_looking_for_it_ends() {
    for count in [None, Some(13), Some(12)] {
        let (mut scaler, calls) = scaler([("a", partitioned(&[1, 2, 3], 4))], |_| {});
        scaler.services.messages.page = Some(one_partition);
        if let Some(count) = count {
            counted(&mut scaler, "a", count);
        }
        let report = pass(&scaler).await;
        assert_eq!(report.message_counts, BTreeMap::from([("created", 12)]));
        assert_eq!(report.subscriptions[0].to_the_end, count == Some(12), "{count:?}");
        assert!(only(&calls, &["peek"]).len() < 25, "{count:?}");
    }
}

/// Adds a group that has finished and one that runs, of messages with these sequence numbers.
fn put_groups(scaler: &FakeScaler, finished: &str, running: &str) {
    let tags = |number| [(tag::SUBSCRIPTION_NAME, "a"), (tag::MESSAGE_ID, "x"), (tag::SEQUENCE_NUMBER, number)];
    scaler.services.groups.put("finished", &tags(finished), "Terminated");
    scaler.services.groups.put("running", &tags(running), "Running");
}

#[tokio::test(start_paused = true)]
async fn on_a_partitioned_topic_only_a_look_at_its_own_number_proves_that_a_message_is_gone() {
    // Each is the only evidence of partitions.
    for evidence in ["the topic", "a group", "a message", "a session"] {
        let shown = if evidence == "a message" { partitioned(&[38], 1) } else { messages(9..=9) };
        let (mut scaler, calls) = scaler([("a", shown)], |settings| settings.processing.delete_orphans = true);
        scaler.services.subscriptions.topic.is_partitioned = evidence == "the topic";
        scaler.services.subscriptions.listed("a").requires_session = evidence == "a session";
        counted(&mut scaler, "a", 1);
        let running = if evidence == "a group" { (7_i64 << 48) | 1 } else { 5 };
        put_groups(&scaler, "4", &running.to_string());
        let report = pass(&scaler).await;
        let peeks = only(&calls, &["peek"]);
        for number in [4, running] {
            assert!(peeks.contains(&format!("peek a {number} 1")), "{evidence}: {peeks:?}");
        }
        assert_eq!(report.group_counts, BTreeMap::from([("active", 1), ("deleted", 1)]), "{evidence}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_subscription_shows_of_partitions_counts_for_the_others_and_for_later_passes() {
    // The tenth page is the first to show partitions.
    let shown = [messages(1..=9), partitioned(&[38], 1)].concat();
    let (mut scaler, calls) = scaler([("a", Vec::new()), ("b", shown)], |settings| {
        settings.processing.peek_page = NonZeroU32::MIN;
    });
    counted(&mut scaler, "a", 0);
    put_groups(&scaler, "4", "5");
    assert_eq!(pass(&scaler).await.group_counts["message_unknown"], 1, "it was read before the other had shown them");
    scaler.services.messages.messages.get_mut("b").unwrap().clear();
    scaler.services.groups.groups.lock().unwrap().retain(|name, _| name.as_str() == "finished");
    calls.take();
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("deleted", 1)]));
    assert!(only(&calls, &["peek"]).contains(&"peek a 4 1".to_owned()), "it was looked up");
}

#[tokio::test(start_paused = true)]
async fn a_look_at_the_first_number_which_any_broker_may_answer_counts_if_its_own_has_answered() {
    for (shown, count, outcome) in [
        (partitioned(&[38], 3), 4, "message_unknown"),
        (partitioned(&[38], 3), 3, "deleted"),
        ([messages(2..=2), partitioned(&[38], 3)].concat(), 5, "deleted"),
    ] {
        let (mut scaler, _) = scaler([("a", shown)], |_| {});
        scaler.services.messages.page = Some(one_partition);
        counted(&mut scaler, "a", count);
        let tags = [(tag::SUBSCRIPTION_NAME, "a"), (tag::MESSAGE_ID, "x"), (tag::SEQUENCE_NUMBER, "1")];
        scaler.services.groups.put("finished", &tags, "Terminated");
        assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([(outcome, 1)]), "{count}");
    }
}

#[tokio::test(start_paused = true)]
async fn on_a_topic_in_one_piece_a_read_proves_that_a_message_is_gone() {
    let (mut scaler, calls) = scaler([("a", messages(9..=9))], |_| {});
    counted(&mut scaler, "a", 40);
    put_groups(&scaler, "4", "5");
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("active", 1), ("deleted", 1)]));
    assert_eq!(only(&calls, &["peek"]), ["peek a 1 250", "peek a 10 250"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_on_a_partitioned_topic_stays_while_its_message_is_there_although_no_page_shows_it() {
    let far = (38_i64 << 48) | 1;
    let (mut scaler, _) = scaler([("a", partitioned(&[0, 38], 1))], |_| {});
    // Only a peek at its own number shows the message.
    scaler.services.messages.page = Some(|mut page, _| {
        page.truncate(1);
        page
    });
    scaler.services.subscriptions.topic.is_partitioned = true;
    counted(&mut scaler, "a", 1);
    let (id, number) = (format!("m{far}"), far.to_string());
    let tags = [(tag::SUBSCRIPTION_NAME, "a"), (tag::MESSAGE_ID, id.as_str()), (tag::SEQUENCE_NUMBER, &number)];
    scaler.services.groups.put("failed", &tags, "Terminated");
    let report = pass(&scaler).await;
    assert_eq!(report.group_counts, BTreeMap::from([("record", 1)]));
    assert_eq!(report.message_counts, BTreeMap::from([("backing_off", 1), ("created", 1)]));
}

#[tokio::test(start_paused = true)]
async fn reading_a_partitioned_topic_leaves_time_for_looking_up_however_little_its_pages_bring() {
    let short = |settings: &mut Settings| {
        settings.aci.max_instances = 5000;
        settings.processing.pass_deadline = Duration::from_secs(10);
    };
    // A page takes 100 ms and has one new message, so there is time for 25.
    let (mut scaler, calls) = scaler([("a", partitioned(&[1], 400))], short);
    scaler.services.messages.page = Some(|mut page, _| {
        page.truncate(1);
        page
    });
    put_groups(&scaler, "4", "5");
    let report = pass(&scaler).await;
    assert_eq!(report.subscriptions[0].error, None);
    assert_eq!(report.group_counts["deleted"], 1);
    assert!(only(&calls, &["peek"]).contains(&"peek a 4 1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_served_is_reported_with_its_reason_and_not_peeked_and_its_groups_stay() {
    let reasons = [
        (Unserved::Disabled, "it is disabled"),
        (Unserved::ReceiveDisabled, "receiving from it is disabled"),
        (Unserved::Forwards { to: "archive".into() }, "it forwards its messages to archive"),
    ];
    for (reason, text) in reasons {
        let (mut scaler, calls) = scaler([("a", messages(1..=9)), ("good", messages(1..=1))], |_| {});
        scaler.services.subscriptions.listed("a").unserved = Some(reason);
        counted(&mut scaler, "a", 3015);
        put_groups(&scaler, "4", "5");
        scaler.services.groups.put("old", &[(tag::MESSAGE_ID, "old")], "Terminated");
        let report = pass(&scaler).await;
        assert_eq!(report.message_counts, BTreeMap::from([("created", 1)]));
        assert_eq!(report.group_counts, BTreeMap::from([("active", 1), ("message_unknown", 2)]));
        assert!(only(&calls, &["peek"]).iter().all(|peek| peek.starts_with("peek good")));
        let troubles = report.troubles();
        assert_eq!((troubles.len(), troubles[0].kind), (1, TroubleKind::Unserved));
        let item = &troubles[0].items[0];
        assert_eq!((item.reason.as_deref(), item.backlog), (Some(text), Some(3015)));
        assert!(!report.partly_failed(), "nobody expects it to be served");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_has_nothing_to_peek_needs_no_connection_and_one_that_has_fails_without() {
    let (mut scaler, _) = scaler([("a", messages(1..=1)), ("b", messages(1..=1))], |_| {});
    scaler.services.messages.connect_error = Some(PeekError::Unavailable { reason: "refused".into() });
    scaler.services.subscriptions.listed("a").unserved = Some(Unserved::Disabled);
    assert_eq!(failed_pass(&scaler).await, "no subscription could be peeked");
    scaler.services.subscriptions.listed("b").unserved = Some(Unserved::Disabled);
    assert_eq!(pass(&scaler).await.unserved_subscriptions.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_none_of_those_that_can_be_served_answers_the_pass_fails() {
    let (mut scaler, _) = scaler([("a", messages(1..=1)), ("b", messages(1..=1))], |_| {});
    scaler.services.subscriptions.listed("a").unserved = Some(Unserved::Disabled);
    scaler.services.messages.failing = BTreeMap::from([("b", 1)]);
    assert_eq!(failed_pass(&scaler).await, "no subscription could be peeked");
}

#[tokio::test(start_paused = true)]
async fn what_was_there_in_the_last_pass_and_cannot_be_served_any_more_is_not_served() {
    let (mut scaler, _) = scaler([("a", messages(1..=1)), ("b", messages(1..=1))], |_| {});
    scaler.services.messages.familiar = vec!["a", "b"];
    scaler.services.messages.failing = BTreeMap::from([("a", 1)]);
    scaler.services.subscriptions.listed("a").unserved = Some(Unserved::Disabled);
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("created", 1)]));
    assert!(!report.partly_failed(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_listed_twice_is_read_once() {
    let (mut scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    let again = scaler.services.subscriptions.listed("a").clone();
    scaler.services.subscriptions.topic.subscriptions.push(again);
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("created", 1)]));
    assert_eq!(only(&calls, &["peek"]), ["peek a 1 250", "peek a 2 250"]);
}

#[tokio::test(start_paused = true)]
async fn the_backlog_is_the_service_s_count_and_says_how_much_of_it_was_read() {
    let (mut scaler, _) = scaler([("a", messages(1..=60)), ("b", messages(1..=3))], |settings| {
        settings.aci.max_instances = 0;
        settings.processing.peek_page = NonZeroU32::new(60).unwrap();
    });
    let first = pass(&scaler).await;
    assert_eq!(first.backlog, None, "it was not counted");
    assert!(!first.sums().contains("Backlog"), "{first:?}");
    counted(&mut scaler, "a", 3015);
    let report = pass(&scaler).await;
    let sums = report.sums();
    assert!(sums.contains("Messages: 63 waiting capacity. Backlog: 60 of 3,015 read. Container groups:"), "{sums}");
    counted(&mut scaler, "b", 1);
    let backlog = pass(&scaler).await.backlog.unwrap();
    assert_eq!((backlog.messages, backlog.read), (3018, 63), "a count that lags is not less than what was read");
}
