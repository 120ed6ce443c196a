//! Sending, receiving and settling by the client.

use std::time::Duration;

use fe2o3_amqp_types::primitives::SimpleValue;
use local_azure::client::Client;
use local_azure::service_bus::{
    Call, OutgoingMessage, Rule, ServiceBusConfig, Settlement, SqlFilter, SubscriptionConfig, SubscriptionStatus, Value,
};

use test_support::peer::{ADDRESS, PATIENCE, SILENCE, TOPIC, eventually, ids, namespace, namespace_with, publish};

#[tokio::test]
async fn a_scheduled_message_gets_in_when_it_is_due() {
    let bus = namespace().await;
    let due = local_azure::clock::now() + Duration::from_millis(300);
    let milliseconds = i64::try_from(due.unix_timestamp_nanos() / 1_000_000).unwrap();
    let due_at = Value::Timestamp(serde_amqp::primitives::Timestamp::from_milliseconds(milliseconds));
    let annotation = Value::Symbol("x-opt-scheduled-enqueue-time".into());
    bus.publish(TOPIC, OutgoingMessage::new().message_id("later").annotation(annotation, due_at)).unwrap();
    publish(&bus, 1);
    eventually("the message is there", || ids(&bus) == ["m1", "later"]).await;
    assert!(local_azure::clock::now() >= due - Duration::from_millis(1));
}

#[tokio::test]
async fn a_sent_message_arrives_where_a_rule_lets_it_in() {
    let bus = namespace().await;
    let small = Rule::new("small", SqlFilter::parse("file_size_mb <= 50").unwrap());
    let small = SubscriptionConfig { rules: vec![small], ..SubscriptionConfig::new("small") };
    bus.create_subscription(TOPIC, small).unwrap();
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    let message =
        |id: &str, size: i32| OutgoingMessage::new().message_id(id).property("file_size_mb", size).body("content");
    client.send(TOPIC, [message("a", 50), message("b", 51)]).await.unwrap();
    let received = client.receive_one(TOPIC, "small", PATIENCE).await.unwrap().unwrap();
    assert_eq!(received.message_id().as_deref(), Some("a"));
    assert_eq!(received.property("file_size_mb"), Some(&SimpleValue::Int(50)));
    assert_eq!((received.body(), received.delivery_count()), (b"content".to_vec(), 0));
    assert_eq!(received.sequence_number(), Some(1));
    client.complete(received).await.unwrap();
    assert!(client.receive_one(TOPIC, "small", Duration::ZERO).await.unwrap().is_none());
    client.close().await;
    let counts: Vec<_> =
        bus.subscriptions(TOPIC).unwrap().into_iter().map(|it| (it.name, it.active_messages)).collect();
    assert_eq!(counts, [("all".to_owned(), 2), ("small".to_owned(), 0)]);
}

#[tokio::test]
async fn a_message_is_locked_while_it_is_worked_on_and_gone_when_it_is_completed() {
    let bus = namespace().await;
    publish(&bus, 2);
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    let received = client.receive_one(TOPIC, "all", PATIENCE).await.unwrap().unwrap();
    let held: Vec<_> = bus.peek_all(TOPIC, "all").unwrap().into_iter().map(|message| message.locked).collect();
    assert_eq!(held, [true, false]);
    client.complete(received).await.unwrap();
    client.close().await;
    assert_eq!(ids(&bus), ["m2"]);
    let settle = Call::Settle { entity: ADDRESS.to_owned(), settlement: Settlement::Completed };
    assert_eq!(bus.call_log().iter().filter(|call| **call == settle).count(), 1);
}

#[tokio::test]
async fn an_abandoned_message_comes_again_and_counts_its_deliveries() {
    let bus = namespace().await;
    publish(&bus, 1);
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    for delivery in 0..3 {
        let received = client.receive_one(TOPIC, "all", PATIENCE).await.unwrap().unwrap();
        assert_eq!(received.delivery_count(), delivery);
        client.abandon(received).await.unwrap();
    }
    client.close().await;
    assert_eq!(bus.peek_all(TOPIC, "all").unwrap()[0].delivery_count, 3);
}

#[tokio::test]
async fn a_waiting_receiver_gets_a_message_as_soon_as_it_comes() {
    let bus = namespace().await;
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    let waiting = client.receive_one(TOPIC, "all", PATIENCE);
    let publishing = async {
        let attached = || bus.call_log().iter().any(|call| matches!(call, Call::Attach { .. }));
        eventually("the receiver is attached", attached).await;
        publish(&bus, 1);
    };
    let (received, ()) = tokio::join!(waiting, publishing);
    assert_eq!(received.unwrap().unwrap().message_id().as_deref(), Some("m1"));
    client.close().await;
}

#[tokio::test]
async fn a_message_comes_again_when_its_lock_expires_though_nobody_does_anything() {
    let lock_duration = time::Duration::milliseconds(200);
    let subscription = SubscriptionConfig { lock_duration, ..SubscriptionConfig::new("all") };
    let bus = namespace_with(ServiceBusConfig::new(), subscription).await;
    publish(&bus, 1);
    let mut crashed = Client::connect(&bus.connection_string()).await.unwrap();
    let lost = crashed.receive_one(TOPIC, "all", PATIENCE).await.unwrap().unwrap();
    crashed.close().await;
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    let received = client.receive_one(TOPIC, "all", PATIENCE).await.unwrap().unwrap();
    assert_eq!((received.message_id(), received.delivery_count()), (lost.message_id(), 1));
    assert!(client.complete(lost).await.is_ok(), "the AMQP library does not know whose delivery it was");
    client.complete(received).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn an_empty_subscription_gives_nothing_and_holds_nothing_back() {
    let bus = namespace().await;
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    assert!(client.receive_one(TOPIC, "all", SILENCE).await.unwrap().is_none());
    publish(&bus, 1);
    assert!(!bus.peek_all(TOPIC, "all").unwrap()[0].locked, "the credit was given back");
    assert!(client.receive_one(TOPIC, "all", PATIENCE).await.unwrap().is_some());
    client.close().await;
}

#[tokio::test]
async fn a_message_of_many_frames_arrives_whole() {
    let bus = namespace().await;
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    let body: Vec<u8> = (0..=255_u8).cycle().take(200_000).collect();
    client.send(TOPIC, [OutgoingMessage::new().body(body.clone())]).await.unwrap();
    let received = client.receive_one(TOPIC, "all", PATIENCE).await.unwrap().unwrap();
    assert!(received.body() == body);
    client.close().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let bus = namespace().await;
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    assert!(client.send(TOPIC, [OutgoingMessage::new().body(vec![0; 300_000])]).await.is_err());
    assert_eq!(ids(&bus), [""; 0]);
}

#[tokio::test]
async fn what_does_not_exist_or_cannot_be_used_is_refused_with_its_condition() {
    let sessions = SubscriptionConfig { requires_session: true, ..SubscriptionConfig::new("sessions") };
    let bus = namespace_with(ServiceBusConfig::new(), sessions).await;
    let off = SubscriptionConfig { status: SubscriptionStatus::Disabled, ..SubscriptionConfig::new("off") };
    bus.create_subscription(TOPIC, off).unwrap();
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    for (subscription, condition) in
        [("missing", "NotFound"), ("off", "com.microsoft:entity-disabled"), ("sessions", "NotAllowed")]
    {
        let error = client.receive_one(TOPIC, subscription, PATIENCE).await.unwrap_err().to_string();
        assert!(error.contains(condition), "{subscription}: {error}");
    }
    let error = client.send("missing", [OutgoingMessage::new()]).await.unwrap_err().to_string();
    assert!(error.contains("NotFound"), "{error}");
    client.close().await;
}

#[tokio::test]
async fn a_disabled_subscription_takes_no_messages_and_one_that_only_gives_none_does() {
    let bus = namespace().await;
    for (status, expected) in [(SubscriptionStatus::Disabled, 0), (SubscriptionStatus::ReceiveDisabled, 1)] {
        bus.set_status(TOPIC, "all", status).unwrap();
        publish(&bus, 1);
        assert_eq!(ids(&bus).len(), expected, "{status:?}");
    }
}

#[tokio::test]
async fn two_clients_never_hold_the_same_message() {
    let bus = namespace().await;
    publish(&bus, 20);
    let take = async |count: usize| {
        let mut client = Client::connect(&bus.connection_string()).await.unwrap();
        let mut taken = Vec::new();
        for _ in 0..count {
            let received = client.receive_one(TOPIC, "all", PATIENCE).await.unwrap().unwrap();
            taken.push(received.sequence_number().unwrap());
            client.complete(received).await.unwrap();
        }
        client.close().await;
        taken
    };
    let (mut left, right) = tokio::join!(take(10), take(10));
    left.extend(right);
    left.sort_unstable();
    assert_eq!(left, (1..=20).collect::<Vec<_>>());
    assert_eq!(ids(&bus), [""; 0]);
}
