//! The rules of AMQP itself: windows, handles, heartbeats and endings.

use std::time::Duration;

use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::{Receiver, Sender};
use fe2o3_amqp_types::definitions::SenderSettleMode;
use fe2o3_amqp_types::messaging::Body;
use local_azure::service_bus::{OutgoingMessage, ServiceBusConfig, SubscriptionConfig, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use test_support::peer::{
    ADDRESS, MANAGEMENT, PATIENCE, Peer, SILENCE, TOPIC, eventually, ids, namespace, namespace_with, publish,
};

#[tokio::test]
async fn a_session_ends_when_it_is_given_one_link_too_many() {
    let bus = namespace().await;
    let mut peer = Peer::connect(&bus).await;
    let mut links = Vec::new();
    for index in 0..255 {
        links.push(Sender::attach(&mut peer.session, format!("link-{index}"), "$cbs").await.unwrap());
    }
    let one_more = Sender::attach(&mut peer.session, "one-more", "$cbs");
    assert!(timeout(PATIENCE, one_more).await.unwrap().is_err());
    let error = format!("{:?}", timeout(PATIENCE, peer.session.on_end()).await.unwrap());
    assert!(error.contains("ResourceLimitExceeded"), "{error}");
}

#[tokio::test]
async fn nothing_is_locked_before_a_receiver_gives_credit() {
    let bus = namespace().await;
    publish(&bus, 3);
    let mut peer = Peer::connect(&bus).await;
    let attaching =
        Receiver::builder().name("r").source(ADDRESS).credit_mode(CreditMode::Manual).attach(&mut peer.session);
    let mut receiver = attaching.await.unwrap();
    assert!(timeout(SILENCE, receiver.recv::<Body<Value>>()).await.is_err());
    let locked = || bus.peek_all(TOPIC, "all").unwrap().iter().filter(|message| message.locked).count();
    assert_eq!(locked(), 0);
    receiver.set_credit(2).await.unwrap();
    for _ in 0..2 {
        timeout(PATIENCE, receiver.recv::<Body<Value>>()).await.unwrap().unwrap();
    }
    assert_eq!(locked(), 2);
    let delivery = timeout(SILENCE, receiver.recv::<Body<Value>>()).await;
    assert!(delivery.is_err(), "the credit is used up");
}

#[tokio::test]
async fn delivery_tags_are_lock_tokens() {
    let bus = namespace().await;
    publish(&bus, 2);
    let mut peer = Peer::connect(&bus).await;
    let mut receiver = Receiver::attach(&mut peer.session, "r", ADDRESS).await.unwrap();
    let first = receiver.recv::<Body<Value>>().await.unwrap();
    let token = uuid::Uuid::from_slice_le(first.delivery_tag()).unwrap();
    let mut node = peer.node(MANAGEMENT).await.unwrap();
    let tokens = Value::Array(vec![Value::Uuid(token.into_bytes().into())].into());
    let status = Value::from("completed");
    let body = test_support::peer::map([("lock-tokens", tokens.clone()), ("disposition-status", status)]);
    let properties = [("operation", "com.microsoft:update-disposition")];
    assert_eq!(node.request(&properties, body.clone()).await.status, 200);
    assert_eq!(ids(&bus), ["m2"]);
    let again = node.request(&properties, body).await;
    assert_eq!((again.status, again.condition.as_deref()), (410, Some("com.microsoft:message-lock-lost")));
    let renewal = [("operation", "com.microsoft:renew-lock")];
    assert_eq!(node.request(&renewal, test_support::peer::map([("lock-tokens", tokens)])).await.status, 410);
}

#[tokio::test]
async fn a_receiver_that_wants_settled_messages_takes_them_for_good() {
    let bus = namespace().await;
    publish(&bus, 2);
    let mut peer = Peer::connect(&bus).await;
    let attaching = Receiver::builder()
        .name("r")
        .source(ADDRESS)
        .sender_settle_mode(SenderSettleMode::Settled)
        .credit_mode(CreditMode::Manual)
        .attach(&mut peer.session);
    let mut receiver = attaching.await.unwrap();
    receiver.set_credit(1).await.unwrap();
    timeout(PATIENCE, receiver.recv::<Body<Value>>()).await.unwrap().unwrap();
    assert_eq!(ids(&bus), ["m2"]);
}

#[tokio::test]
async fn more_messages_than_any_window_are_sent_and_received() {
    const COUNT: usize = 6_000;
    let bus = namespace().await;
    let mut peer = Peer::connect(&bus).await;
    let mut sender = Sender::attach(&mut peer.session, "s", TOPIC).await.unwrap();
    for _ in 0..COUNT {
        sender.send_batchable("message").await.unwrap();
    }
    eventually("all have arrived", || ids_len(&bus) == COUNT).await;
    let mut receiver = Receiver::attach(&mut peer.session, "r", ADDRESS).await.unwrap();
    for _ in 0..COUNT {
        let delivery = timeout(PATIENCE, receiver.recv::<Body<Value>>()).await.unwrap().unwrap();
        receiver.accept(&delivery).await.unwrap();
    }
    eventually("all are gone", || ids_len(&bus) == 0).await;
}

fn ids_len(bus: &local_azure::service_bus::ServiceBus) -> usize {
    bus.subscriptions(TOPIC).unwrap()[0].active_messages
}

#[tokio::test]
async fn a_silent_client_is_sent_away_and_one_that_gives_signs_of_life_is_not() {
    let idle_time_out = Duration::from_millis(500);
    let config = ServiceBusConfig { idle_time_out, ..ServiceBusConfig::new() };
    let bus = namespace_with(config, SubscriptionConfig::new("all")).await;
    // This client sends no heartbeats: it stops after its Open.
    let mut silent = TcpStream::connect(("127.0.0.1", bus.port())).await.unwrap();
    silent.write_all(b"AMQP\x03\x01\x00\x00").await.unwrap();
    silent.write_all(&[0, 0, 0, 28, 2, 1, 0, 0, 0, 0x53, 0x41, 0xc0, 0x0f, 0x02, 0xa3, 0x09]).await.unwrap();
    silent.write_all(b"ANONYMOUS\xa0\x01x").await.unwrap();
    silent.write_all(b"AMQP\x00\x01\x00\x00").await.unwrap();
    let mut heard = Vec::new();
    timeout(PATIENCE, silent.read_to_end(&mut heard)).await.unwrap().unwrap();
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.contains("Welcome!") && heard.contains("amqp:connection:forced"), "{heard}");

    let mut peer = Peer::connect(&bus).await;
    assert!(timeout(idle_time_out * 4, peer.connection.on_close()).await.is_err(), "fe2o3-amqp sends heartbeats");
    assert!(peer.node(MANAGEMENT).await.is_ok());
}

#[tokio::test]
async fn a_client_that_wants_signs_of_life_gets_them() {
    let bus = namespace().await;
    let ServiceBusConfig { key_name, key, .. } = ServiceBusConfig::new();
    let stream = TcpStream::connect(("127.0.0.1", bus.port())).await.unwrap();
    let mut connection = fe2o3_amqp::Connection::builder()
        .container_id("peer")
        .scheme("amqp")
        .sasl_profile(fe2o3_amqp::sasl_profile::SaslProfile::Plain { username: key_name, password: key })
        .idle_time_out(600_u32)
        .open_with_stream(stream)
        .await
        .unwrap();
    let closed = timeout(Duration::from_millis(1_500), connection.on_close()).await;
    assert!(closed.is_err(), "the client would have closed: {closed:?}");
}

#[tokio::test]
async fn what_is_neither_amqp_nor_http_is_not_served() {
    let bus = namespace().await;
    for beginning in [&b"nonsense\r\n\r\n"[..], b"AMQP\x00\x01\x00\x00", b"\x16\x03\x01\x02\x00\x01\x00\x01"] {
        let mut stream = TcpStream::connect(("127.0.0.1", bus.port())).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        let mut heard = Vec::new();
        // Closing with unread bytes may reset the connection; either way it is over.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("the namespace hangs up");
        assert!(heard.is_empty() || heard == b"AMQP\x03\x01\x00\x00", "{heard:?}");
    }
    assert!(Peer::connect(&bus).await.node(MANAGEMENT).await.is_ok());
}

#[tokio::test]
async fn a_namespace_stops_with_its_last_handle() {
    let bus = namespace().await;
    let port = bus.port();
    let other = bus.clone();
    drop(bus);
    let mut peer = Peer::connect(&other).await;
    other.publish(TOPIC, OutgoingMessage::new()).unwrap();
    drop(other);
    assert!(timeout(PATIENCE, peer.connection.on_close()).await.unwrap().is_err());
    let gone = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the port is free again");
}
