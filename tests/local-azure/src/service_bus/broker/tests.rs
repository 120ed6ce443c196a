use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::subscription::{Delivery, Outcome, SubQueue};
use super::*;
use crate::service_bus::{OutgoingMessage, Value};

const START: OffsetDateTime = datetime!(2030-01-01 00:00 UTC);
const LOCK: Duration = Duration::seconds(30);

fn broker(config: SubscriptionConfig) -> Broker {
    let mut broker = Broker::default();
    broker.create_topic(TopicConfig::new("files"), START).unwrap();
    broker.create_subscription("files", SubscriptionConfig { lock_duration: LOCK, ..config }, START).unwrap();
    broker
}

fn with_messages(config: SubscriptionConfig, count: u32) -> Broker {
    let mut broker = broker(config);
    for index in 0..count {
        let message = OutgoingMessage::new().message_id(format!("m{index}"));
        broker.publish("files", message.into_stored(), START).unwrap();
    }
    broker
}

fn all() -> SubscriptionConfig {
    SubscriptionConfig::new("all")
}

fn subscription(broker: &mut Broker) -> &mut Subscription {
    broker.subscription("files", "all").unwrap()
}

fn receive(broker: &mut Broker, now: OffsetDateTime) -> Option<Delivery> {
    subscription(broker).receive(SubQueue::Messages, now)
}

fn settle(broker: &mut Broker, delivery: &Delivery, outcome: &Outcome, now: OffsetDateTime) -> bool {
    subscription(broker).settle(SubQueue::Messages, delivery.lock_token, outcome, now).is_ok()
}

fn ids(broker: &mut Broker, queue: SubQueue, now: OffsetDateTime) -> Vec<String> {
    let stored = subscription(broker).inspect(queue, now);
    stored.into_iter().filter_map(|message| message.message_id).collect()
}

#[test]
fn a_locked_message_is_given_to_nobody_else_until_its_lock_expires() {
    let mut broker = with_messages(all(), 1);
    let first = receive(&mut broker, START).unwrap();
    assert!(receive(&mut broker, START + LOCK - Duration::MILLISECOND).is_none());
    let expired = START + LOCK;
    let second = receive(&mut broker, expired).unwrap();
    assert!(!settle(&mut broker, &first, &Outcome::Complete, expired), "the first lock is lost");
    assert!(settle(&mut broker, &second, &Outcome::Complete, expired));
    assert!(!settle(&mut broker, &second, &Outcome::Complete, expired), "it is gone already");
    assert_eq!(ids(&mut broker, SubQueue::Messages, expired), [""; 0]);
}

#[test]
fn a_renewed_lock_lasts_from_then_on() {
    let mut broker = with_messages(all(), 1);
    let held = receive(&mut broker, START).unwrap();
    let later = START + LOCK / 2;
    assert_eq!(subscription(&mut broker).renew(SubQueue::Messages, held.lock_token, later), Ok(later + LOCK));
    assert!(receive(&mut broker, START + LOCK).is_none());
    assert!(subscription(&mut broker).renew(SubQueue::Messages, held.lock_token, later + LOCK).is_err());
}

#[test]
fn a_message_that_is_never_settled_ends_up_in_the_dead_letter_queue() {
    let mut broker = with_messages(SubscriptionConfig { max_delivery_count: 2, ..all() }, 2);
    let first = receive(&mut broker, START).unwrap();
    assert!(settle(&mut broker, &first, &Outcome::Abandon, START));
    receive(&mut broker, START).unwrap();
    let next = receive(&mut broker, START + LOCK).unwrap();
    assert!(settle(&mut broker, &next, &Outcome::Complete, START + LOCK));
    assert_eq!(ids(&mut broker, SubQueue::Messages, START), [""; 0]);
    let dead = subscription(&mut broker).inspect(SubQueue::DeadLetters, START);
    assert_eq!((dead[0].message_id.as_deref(), dead[0].delivery_count), (Some("m0"), 2));
    let reason = ("DeadLetterReason".to_owned(), Value::from("MaxDeliveryCountExceeded"));
    assert!(dead[0].application_properties.contains(&reason), "{dead:?}");
}

#[test]
fn a_dead_letter_that_is_abandoned_stays_a_dead_letter() {
    let mut broker = with_messages(SubscriptionConfig { max_delivery_count: 1, ..all() }, 1);
    let held = receive(&mut broker, START).unwrap();
    assert!(settle(&mut broker, &held, &Outcome::DeadLetter { reason: None, description: None }, START));
    for _ in 0..3 {
        let dead = subscription(&mut broker).receive(SubQueue::DeadLetters, START).unwrap();
        let settled =
            subscription(&mut broker).settle(SubQueue::DeadLetters, dead.lock_token, &Outcome::Abandon, START);
        assert!(settled.is_ok());
    }
    assert_eq!(ids(&mut broker, SubQueue::DeadLetters, START), ["m0"]);
}

#[test]
fn a_deferred_message_is_only_received_by_its_number() {
    let mut broker = with_messages(all(), 2);
    let held = receive(&mut broker, START).unwrap();
    assert!(settle(&mut broker, &held, &Outcome::Defer, START));
    receive(&mut broker, START).unwrap();
    assert!(receive(&mut broker, START).is_none());
    assert!(subscription(&mut broker).receive_deferred(SubQueue::Messages, 2, START).is_none(), "it is not deferred");
    let deferred = subscription(&mut broker).receive_deferred(SubQueue::Messages, 1, START).unwrap();
    assert!(subscription(&mut broker).receive_deferred(SubQueue::Messages, 1, START).is_none(), "it is locked");
    assert!(settle(&mut broker, &deferred, &Outcome::Abandon, START));
    assert!(
        subscription(&mut broker).inspect(SubQueue::Messages, START)[0].deferred,
        "an abandoned one stays deferred"
    );
}

#[test]
fn an_expired_message_can_be_peeked_but_not_received() {
    for dead_letter_on_expiration in [false, true] {
        let mut broker = broker(SubscriptionConfig { dead_letter_on_expiration, ..all() });
        let brief = OutgoingMessage::new().message_id("brief").time_to_live(std::time::Duration::from_secs(10));
        let endless = OutgoingMessage::new().message_id("endless");
        for message in [brief, endless] {
            broker.publish("files", message.into_stored(), START).unwrap();
        }
        let expired = START + Duration::seconds(10);
        assert_eq!(ids(&mut broker, SubQueue::Messages, expired), ["brief", "endless"]);
        assert!(receive(&mut broker, expired).is_some());
        assert_eq!(ids(&mut broker, SubQueue::Messages, expired), ["endless"]);
        let dead = ids(&mut broker, SubQueue::DeadLetters, expired);
        assert_eq!(dead.len(), usize::from(dead_letter_on_expiration), "{dead:?}");
    }
}

#[test]
fn the_shorter_time_to_live_counts() {
    let ten = Some(Duration::seconds(10));
    let mut broker = broker(SubscriptionConfig { default_time_to_live: ten, ..all() });
    let long = OutgoingMessage::new().time_to_live(std::time::Duration::from_mins(1));
    broker.publish("files", long.into_stored(), START).unwrap();
    assert!(receive(&mut broker, START + Duration::seconds(10)).is_none());
}

#[test]
fn a_message_expires_when_a_client_that_is_told_milliseconds_thinks_so() {
    let mut broker = broker(all());
    let message = OutgoingMessage::new().time_to_live(std::time::Duration::from_secs(1));
    broker.publish("files", message.into_stored(), START + Duration::microseconds(999)).unwrap();
    assert!(receive(&mut broker, START + Duration::seconds(1)).is_none());
}

#[test]
fn names_of_entities_are_the_same_in_any_case() {
    let mut broker = with_messages(all(), 1);
    assert!(broker.subscription("FILES", "All").is_ok());
    assert_eq!(
        broker.create_topic(TopicConfig::new("Files"), START),
        Err(BrokerError::AlreadyExists("Files".to_owned()))
    );
    let again = broker.create_subscription("files", SubscriptionConfig::new("ALL"), START);
    assert_eq!(again, Err(BrokerError::AlreadyExists("ALL".to_owned())));
}

fn lets_in(filter: impl Into<Filter>, message: OutgoingMessage) -> bool {
    let message = message.into_stored();
    filter.into().matches(&filter::MessageView::new(&message))
}

fn sql(expression: &str) -> SqlFilter {
    SqlFilter::parse(expression).unwrap_or_else(|error| panic!("{error}"))
}

fn sample() -> OutgoingMessage {
    OutgoingMessage::new()
        .message_id("id-1")
        .subject("Order")
        .property("file_size_mb", 50)
        .property("Half", 0.5)
        .property("big", u64::MAX)
        .property("name", "report_50%.pdf")
        .property("urgent", true)
        .property("nothing", Value::Null)
        .property("two words", "yes")
        .property("list", vec![1, 2])
}

#[test]
fn a_message_for_which_the_expression_is_true_is_let_in() {
    for expression in [
        "file_size_mb >= 1 AND file_size_mb <= 50",
        "FILE_SIZE_MB = 50",
        "user.file_size_mb = 50.0",
        "big > 9223372036854775807",
        "half * 4 = 2 AND 7 / 2 = 3 AND 7 % 4 = 3 AND -half < 0",
        "name LIKE 'report%' AND name LIKE '_eport!_50!%.pdf' ESCAPE '!'",
        "name NOT LIKE '%.txt'",
        "urgent = TRUE AND NOT (urgent <> TRUE)",
        "sys.Label = 'Order' AND sys.MessageId IN ('x', 'id-1')",
        "[two words] = 'yes' AND \"two words\" = 'yes' AND property('two words') = 'yes'",
        "missing IS NULL AND nothing IS NULL AND name IS NOT NULL AND list IS NOT NULL",
        "EXISTS(name) AND NOT EXISTS(missing)",
        "file_size_mb NOT IN (1, 2)",
        "missing = 1 OR file_size_mb = 50",
        "NOT (missing = 1 AND file_size_mb = 49)",
        "1.5E1 = 15.0 AND +file_size_mb != 49 AND (file_size_mb + 10) * 2 - 20 = 100",
        "sys.messageid LIKE 'id-_' AND sys.CorrelationId IS NULL AND EXISTS(sys.Label)",
        "name = 'report' + '_50%.pdf' AND 'it''s' = 'it' + '''s'",
        "TRUE",
    ] {
        assert!(lets_in(sql(expression), sample()), "{expression}");
    }
}

#[test]
fn a_message_for_which_the_expression_is_false_or_unknown_is_not_let_in() {
    for expression in [
        "file_size_mb > 50",
        "missing = 1",
        "missing <> 1",
        "NOT (missing = 1)",
        "missing = 1 AND file_size_mb = 50",
        "missing IN (1, 2)",
        "missing NOT IN (1, 2)",
        "file_size_mb NOT IN (1, missing)",
        "missing LIKE '%'",
        "missing NOT LIKE 'x'",
        "file_size_mb = '50'",
        "file_size_mb <> '50'",
        "list = 1",
        "file_size_mb / 0 = 1",
        "name = 'REPORT_50%.PDF'",
    ] {
        assert!(!lets_in(sql(expression), sample()), "{expression}");
    }
}

#[test]
fn an_expression_that_cannot_be_evaluated_is_refused_when_it_is_made() {
    for expression in [
        "sys.Nonsense = 1",
        "source = @parameter",
        "newid() = 'x'",
        "file_size_mb",
        "file_size_mb + 1",
        "file_size_mb BETWEEN 1 AND 2",
        "file_size_mb IN (SELECT 1)",
        "name LIKE 'x' ESCAPE 'xx'",
        "a.b.c = 1",
        "other.scope = 1",
        "",
        "file_size_mb = ",
        "file_size_mb = 1 extra = 2",
        "file_size_mb = 99999999999999999999999999",
    ] {
        assert!(SqlFilter::parse(expression).is_err(), "{expression}");
    }
}

#[test]
fn a_correlation_filter_asks_for_all_its_properties_exactly() {
    let filter = || CorrelationFilter::default().application("file_size_mb", 50);
    assert!(lets_in(filter(), sample()));
    assert!(lets_in(filter().system("Label", "Order").unwrap(), sample()));
    assert!(!lets_in(filter().system("Label", "order").unwrap(), sample()));
    assert!(!lets_in(filter().application("file_size_mb", 51), sample()));
    assert!(filter().system("Nonsense", "x").is_none());
}

#[test]
fn a_subscription_takes_what_any_of_its_rules_lets_in() {
    let rules = vec![Rule::new("small", sql("file_size_mb < 10")), Rule::new("urgent", sql("urgent = TRUE"))];
    let mut broker = broker(SubscriptionConfig { rules, ..all() });
    broker
        .create_subscription("files", SubscriptionConfig { rules: vec![], ..SubscriptionConfig::new("none") }, START)
        .unwrap();
    broker.publish("files", sample().into_stored(), START).unwrap();
    broker.publish("files", OutgoingMessage::new().property("file_size_mb", 11).into_stored(), START).unwrap();
    assert_eq!(ids(&mut broker, SubQueue::Messages, START), ["id-1"]);
    assert_eq!(broker.subscription("files", "none").unwrap().queue(SubQueue::Messages).len(), 0);
}
