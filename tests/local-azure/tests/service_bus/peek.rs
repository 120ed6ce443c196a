//! Peeking on `$management`.

use fe2o3_amqp_types::messaging::message::__private::Deserializable;
use fe2o3_amqp_types::messaging::{Body, Message, MessageId};
use local_azure::service_bus::ServiceBusConfig;
use local_azure::service_bus::{Call, Direction, OutgoingMessage, SubscriptionConfig, SubscriptionStatus, Value};
use serde_amqp::primitives::{Binary, Symbol};

use test_support::peer::{ADDRESS, MANAGEMENT, PEEK, Peer, TOPIC, map, namespace, namespace_with, peek_body, publish};

#[tokio::test]
async fn pages_follow_one_another_until_there_are_no_more_messages() {
    let bus = namespace().await;
    publish(&bus, 5);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    assert_eq!(node.peek(0, 2).await.numbers(), [1, 2]);
    assert_eq!(node.peek(3, 2).await.numbers(), [3, 4]);
    let last = node.peek(5, 2).await;
    assert_eq!((last.status, last.numbers()), (200, vec![5]));
    let end = node.peek(6, 2).await;
    assert_eq!((end.status, end.messages().len()), (204, 0));
    assert_eq!(end.correlation_id, Some(MessageId::Ulong(1)), "the id comes back in its own type");
}

#[tokio::test]
async fn a_page_has_250_messages_at_most() {
    let bus = namespace().await;
    publish(&bus, 300);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let numbers = node.peek(1, 1000).await.numbers();
    assert_eq!(numbers, (1..=250).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_has_a_mebibyte_at_most_unless_it_is_one_message() {
    let bus = namespace().await;
    for size in [400_000, 400_000, 400_000, 2_000_000] {
        bus.publish(TOPIC, OutgoingMessage::new().body(vec![7; size])).unwrap();
    }
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    assert_eq!(node.peek(1, 10).await.numbers(), [1, 2]);
    assert_eq!(node.peek(3, 10).await.numbers(), [3]);
    assert_eq!(node.peek(4, 10).await.numbers(), [4]);
    let bare = node.request(&PEEK, peek_body(1, 10, true)).await;
    assert_eq!(bare.numbers(), [1, 2, 3, 4], "bodies do not count when they are left out");
}

#[tokio::test]
async fn a_body_that_is_left_out_is_replaced_by_its_size() {
    let bus = namespace().await;
    bus.publish(TOPIC, OutgoingMessage::new().message_id("m").property("file_size_mb", 50).body("secret")).unwrap();
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let page = node.request(&PEEK, peek_body(1, 1, true)).await.messages();
    let Deserializable(message) = serde_amqp::from_slice::<Deserializable<Message<Body<Value>>>>(&page[0]).unwrap();
    assert_eq!(message.body, Body::Empty);
    assert!(message.delivery_annotations.is_some_and(|it| format!("{it:?}").contains("omitted-message-body-size")));
    assert_eq!(message.properties.unwrap().message_id, Some(MessageId::String("m".to_owned())));
    assert_eq!(message.header.unwrap().delivery_count, 0);
}

#[tokio::test]
async fn odd_messages_are_passed_on_as_they_came() {
    let bus = namespace().await;
    let odd = [
        OutgoingMessage::new().message_id(7_u64),
        OutgoingMessage::new().message_id(Value::Binary(Binary::from(vec![0xca, 0xfe]))),
        OutgoingMessage::new().message_id(Value::Uuid([1; 16].into())),
        OutgoingMessage::new().message_id(5_i32).content_type("text/plain"),
        OutgoingMessage::new().property("list", vec![1, 2]),
        OutgoingMessage::new().property(Symbol::from("symbol"), 1),
        OutgoingMessage::new().annotation("string", 1),
        OutgoingMessage::encoded(*b"no message at all"),
        OutgoingMessage::encoded([]),
    ];
    bus.publish_all(TOPIC, odd.clone()).unwrap();
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let page = node.peek(1, 100).await;
    assert_eq!(page.numbers(), (1..=9).collect::<Vec<_>>());
    for (sent, got) in odd.iter().zip(page.messages()).skip(7) {
        assert!(got.ends_with(&sent.encode()));
    }
    let ids: Vec<_> = bus.peek_all(TOPIC, "all").unwrap().into_iter().map(|message| message.message_id).collect();
    let id = |text: &str| Some(text.to_owned());
    assert_eq!(ids[..3], [id("7"), id("cafe"), id("01010101-0101-0101-0101-010101010101")]);
}

#[tokio::test]
async fn a_hundred_thousand_messages_are_published_at_once() {
    let bus = namespace().await;
    bus.publish_all(TOPIC, (0..100_000_u64).map(|id| OutgoingMessage::new().message_id(id))).unwrap();
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    assert_eq!(node.peek(99_999, 250).await.numbers(), [99_999, 100_000]);
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused() {
    let bus = namespace().await;
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let empty = node.peek(1, 0).await;
    assert_eq!((empty.status, empty.condition.as_deref()), (400, Some("com.microsoft:argument-out-of-range")));
    let unknown = node.request(&[("operation", "com.microsoft:dance")], map([])).await;
    assert_eq!((unknown.status, unknown.condition.as_deref()), (501, Some("amqp:not-implemented")));
}

#[tokio::test]
async fn a_disabled_subscription_is_not_peeked() {
    let bus = namespace().await;
    publish(&bus, 1);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    for (status, expected) in [
        (SubscriptionStatus::ReceiveDisabled, 403),
        (SubscriptionStatus::Disabled, 403),
        (SubscriptionStatus::Active, 200),
    ] {
        bus.set_status(TOPIC, "all", status).unwrap();
        assert_eq!(node.peek(1, 1).await.status, expected, "{status:?}");
    }
}

#[tokio::test]
async fn a_subscription_with_sessions_is_peeked_without_one() {
    let subscription = SubscriptionConfig { requires_session: true, ..SubscriptionConfig::new("all") };
    let bus = namespace_with(ServiceBusConfig::new(), subscription).await;
    publish(&bus, 1);
    let mut peer = Peer::connect(&bus).await;
    assert_eq!(peer.node(MANAGEMENT).await.unwrap().peek(1, 1).await.numbers(), [1]);
}

#[tokio::test]
async fn everything_that_was_asked_is_in_the_call_log() {
    let bus = namespace().await;
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(&format!("amqps://127.0.0.1/{MANAGEMENT}")).await.unwrap();
    node.request(&PEEK, peek_body(3, 4, true)).await;
    let attach = |direction| Call::Attach { address: MANAGEMENT.to_owned(), direction };
    let asked = Call::Peek { entity: ADDRESS.to_owned(), from: 3, count: 4, omit_body: true };
    let expected = [Call::Connect, attach(Direction::FromService), attach(Direction::ToService), asked];
    assert_eq!(bus.call_log(), expected);
    bus.clear_call_log();
    assert_eq!(bus.call_log(), []);
}
