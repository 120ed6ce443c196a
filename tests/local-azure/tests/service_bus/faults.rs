//! Faults: each has its effect, where and as often as configured.

use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp_types::messaging::Body;
use local_azure::client::Client;
use local_azure::service_bus::{Effect, Fault, Operation, OutgoingMessage, SubscriptionConfig, Value};
use tokio::time::{Instant, timeout};

use test_support::peer::{
    MANAGEMENT, PATIENCE, PEEK, Peer, SILENCE, TOPIC, namespace, peek_body, publish, valid_signature,
};

#[tokio::test]
async fn a_refusal_has_its_status_and_condition_as_often_as_it_should_and_where() {
    let bus = namespace().await;
    bus.create_subscription(TOPIC, SubscriptionConfig::new("other")).unwrap();
    publish(&bus, 1);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let mut other = peer.node("files/Subscriptions/other/$management").await.unwrap();
    bus.inject(Fault::new(Operation::Peek, Effect::server_busy()).of_subscription("FILES", "All").times(2));
    for _ in 0..2 {
        let reply = node.peek(1, 1).await;
        assert_eq!((reply.status, reply.condition.as_deref()), (503, Some("com.microsoft:server-busy")));
        assert_eq!(other.peek(1, 1).await.status, 200);
    }
    assert_eq!(node.peek(1, 1).await.status, 200);
}

#[tokio::test]
async fn a_late_reply_comes_late_and_others_before_it() {
    let bus = namespace().await;
    publish(&bus, 2);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let delay = Duration::from_millis(400);
    bus.inject(Fault::new(Operation::Peek, Effect::Delay(delay)).times(1));
    let start = Instant::now();
    node.ask(&PEEK, peek_body(1, 1, false)).await;
    node.ask(&PEEK, peek_body(2, 1, false)).await;
    assert_eq!(node.reply().await.unwrap().numbers(), [2]);
    assert_eq!(node.reply().await.unwrap().numbers(), [1]);
    assert!(start.elapsed() >= delay);
}

#[tokio::test]
async fn a_peek_that_hangs_leaves_the_rest_alone() {
    let bus = namespace().await;
    publish(&bus, 1);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    bus.inject(Fault::new(Operation::Peek, Effect::Hang).times(1));
    node.ask(&PEEK, peek_body(1, 1, false)).await;
    assert!(timeout(SILENCE, node.reply()).await.is_err());
    assert_eq!(node.peek(1, 1).await.status, 200);
}

#[tokio::test]
async fn a_dropped_connection_is_dropped() {
    let bus = namespace().await;
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    bus.inject(Fault::new(Operation::Peek, Effect::DropConnection));
    node.ask(&PEEK, peek_body(1, 1, false)).await;
    assert!(node.reply().await.is_err());
    assert!(timeout(PATIENCE, peer.connection.on_close()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_detached_link_says_why_and_can_be_attached_again() {
    let bus = namespace().await;
    publish(&bus, 1);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let (condition, description) = ("amqp:link:detach-forced".to_owned(), "IdleTimerExpired".to_owned());
    bus.inject(Fault::new(Operation::Peek, Effect::DetachLink { condition, description }).times(1));
    node.ask(&PEEK, peek_body(1, 1, false)).await;
    let error = node.reply().await.unwrap_err();
    assert!(error.contains("DetachForced") || error.contains("Detach"), "{error}");
    assert_eq!(peer.node(MANAGEMENT).await.unwrap().peek(1, 1).await.status, 200);
}

#[tokio::test]
async fn garbage_is_garbage() {
    let bus = namespace().await;
    publish(&bus, 2);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();

    bus.inject(Fault::new(Operation::Peek, Effect::WrongCorrelationId).times(1));
    let strange = node.peek(1, 1).await;
    assert_eq!(strange.status, 200);
    assert_ne!(strange.correlation_id, node.peek(1, 1).await.correlation_id);

    bus.inject(Fault::new(Operation::Peek, Effect::TruncatedMessages).times(1));
    let cut = node.request(&PEEK, peek_body(1, 2, true)).await;
    assert_eq!(cut.numbers(), [1, 2], "sequence numbers survive");
    let whole = node.request(&PEEK, peek_body(1, 2, true)).await;
    for (cut, whole) in cut.messages().iter().zip(whole.messages()) {
        assert_eq!(*cut, whole[..whole.len() - 3]);
    }

    bus.inject(Fault::new(Operation::Peek, Effect::UndecodableReply).times(1));
    node.ask(&PEEK, peek_body(1, 1, false)).await;
    assert!(node.reply().await.is_err());
}

#[tokio::test]
async fn pages_can_be_made_small_and_stuck() {
    let bus = namespace().await;
    publish(&bus, 5);
    let mut peer = Peer::connect(&bus).await;
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    bus.inject(Fault::new(Operation::Peek, Effect::PageLimit(2)));
    assert_eq!(node.peek(2, 100).await.numbers(), [2, 3]);
    bus.inject(Fault::new(Operation::Peek, Effect::RepeatFirstPage));
    assert_eq!(node.peek(4, 100).await.numbers(), [1, 2], "effects add up");
    bus.clear_faults();
    assert_eq!(node.peek(4, 100).await.numbers(), [4, 5]);
}

#[tokio::test]
async fn tokens_can_be_refused() {
    let bus = namespace().await;
    let mut peer = Peer::anonymous(&bus).await;
    let topic = "sb://127.0.0.1/files";
    bus.inject(Fault::new(Operation::PutToken, Effect::refuse(401, "amqp:unauthorized-access")).times(1));
    assert_eq!(peer.put_token(topic, &valid_signature(topic)).await, 401);
    assert!(peer.node(MANAGEMENT).await.is_err(), "a token that was refused opens nothing");
    assert_eq!(peer.put_token(topic, &valid_signature(topic)).await, 202);
}

#[tokio::test]
async fn attaching_can_be_refused_late_or_hang() {
    let bus = namespace().await;
    let mut peer = Peer::connect(&bus).await;
    bus.inject(Fault::new(Operation::Attach, Effect::refuse(0, "com.microsoft:entity-disabled")).times(1));
    let error = peer.node(MANAGEMENT).await.err().unwrap();
    assert!(error.contains("entity-disabled"), "{error}");
    let delay = Duration::from_millis(200);
    bus.inject(Fault::new(Operation::Attach, Effect::Delay(delay)).times(1));
    let start = Instant::now();
    assert_eq!(peer.node(MANAGEMENT).await.unwrap().peek(1, 1).await.status, 204);
    assert!(start.elapsed() >= delay);
    bus.inject(Fault::new(Operation::Attach, Effect::Hang));
    assert!(timeout(SILENCE, peer.node(MANAGEMENT)).await.is_err());
}

#[tokio::test]
async fn connecting_can_be_refused_or_hang() {
    let bus = namespace().await;
    bus.inject(Fault::new(Operation::Connect, Effect::Hang).times(1));
    assert!(timeout(SILENCE, Client::connect(&bus.connection_string())).await.is_err());
    bus.inject(Fault::new(Operation::Connect, Effect::DropConnection).times(1));
    assert!(Client::connect(&bus.connection_string()).await.is_err());
    bus.inject(Fault::new(Operation::Connect, Effect::refuse(0, "amqp:connection:forced")).times(1));
    let mut refused = Client::connect(&bus.connection_string()).await;
    if let Ok(client) = &mut refused {
        assert!(client.send(TOPIC, [OutgoingMessage::new()]).await.is_err(), "the refusal may come after the opening");
    }
    assert!(Client::connect(&bus.connection_string()).await.is_ok());
}

#[tokio::test]
async fn sending_can_be_refused_and_nothing_arrives() {
    let bus = namespace().await;
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    bus.inject(Fault::new(Operation::Send, Effect::server_busy()).times(1));
    let error = client.send(TOPIC, [OutgoingMessage::new()]).await.unwrap_err().to_string();
    assert!(error.contains("server-busy"), "{error}");
    client.send(TOPIC, [OutgoingMessage::new()]).await.unwrap();
    assert_eq!(bus.peek_all(TOPIC, "all").unwrap().len(), 1);
    client.close().await;
}

#[tokio::test]
async fn a_link_can_be_attached_and_detached_at_once_with_the_reason() {
    for after_ms in [0, 1, 2] {
        let bus = namespace().await;
        let mut peer = Peer::connect(&bus).await;
        bus.inject(
            Fault::new(
                Operation::Attach,
                Effect::DetachAfterAttach {
                    after: Duration::from_millis(after_ms),
                    condition: "amqp:unauthorized-access".to_owned(),
                    description: "'Listen' claim(s) are required".to_owned(),
                },
            )
            .times(1),
        );
        // The receiver's end is attached first, with a source and a target, and so the attach succeeds.
        let mut receiver = Receiver::builder()
            .name("replies")
            .source(MANAGEMENT)
            .target("replies")
            .attach(&mut peer.session)
            .await
            .unwrap_or_else(|error| panic!("{after_ms} ms: {error}"));
        let detached = timeout(PATIENCE, receiver.recv::<Body<Value>>()).await.unwrap().unwrap_err().to_string();
        assert!(detached.contains("Unauthorized") || detached.contains("Detach"), "{after_ms} ms: {detached}");
        assert_eq!(peer.node(MANAGEMENT).await.unwrap().peek(1, 1).await.status, 204);
    }
}
