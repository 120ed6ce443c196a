//! Subscriptions from which no worker can receive.

use fe2o3_amqp::Receiver;
use local_azure::client::Client;
use local_azure::service_bus::{SubscriptionConfig, SubscriptionStatus};

use test_support::peer::{ADDRESS, MANAGEMENT, Peer, TOPIC, ids, namespace, publish, valid_signature};

#[tokio::test]
async fn a_forwarding_subscription_passes_messages_on_and_is_neither_peeked_nor_received_from() {
    let bus = namespace().await;
    bus.create_topic("archive").unwrap();
    bus.create_subscription("archive", SubscriptionConfig::new("all")).unwrap();
    bus.configure(TOPIC, "all", |config| config.forward_to = Some("Archive".to_owned())).unwrap();
    publish(&bus, 2);
    assert_eq!(ids(&bus).len(), 0);
    assert_eq!(bus.peek_all("archive", "all").unwrap().len(), 2);

    let mut peer = Peer::connect(&bus).await;
    let reply = peer.node(MANAGEMENT).await.unwrap().peek(1, 1).await;
    assert_eq!((reply.status, reply.condition.as_deref()), (400, Some("amqp:not-allowed")));
    assert!(reply.description.contains("message browser on an entity with auto-forwarding enabled"), "{reply:?}");
    let refused = Receiver::attach(&mut peer.session, "receiver", ADDRESS).await.err().unwrap().to_string();
    assert!(refused.contains("auto-forwarding"), "{refused}");
}

#[tokio::test]
async fn a_message_is_not_forwarded_for_ever_nor_to_nowhere() {
    let bus = namespace().await;
    bus.configure(TOPIC, "all", |config| config.forward_to = Some(TOPIC.to_owned())).unwrap();
    publish(&bus, 1);
    assert_eq!(ids(&bus).len(), 1);
    bus.configure(TOPIC, "all", |config| config.forward_to = Some("nowhere".to_owned())).unwrap();
    publish(&bus, 1);
    assert_eq!(ids(&bus).len(), 2);
}

#[tokio::test]
async fn administration_sets_and_shows_where_to() {
    let bus = namespace().await;
    let token = valid_signature(&format!("sb://127.0.0.1:{}/", bus.port()));
    let forward = "<ForwardTo>https://127.0.0.1/archive</ForwardTo><RequiresSession>true</RequiresSession>";
    let body =
        format!("<entry><content><SubscriptionDescription>{forward}</SubscriptionDescription></content></entry>");
    let path = "/files/Subscriptions/new";
    let (made, text) = crate::administration::ask(&bus, reqwest::Method::PUT, path, Some(&token), &body).await;
    assert_eq!(made.as_u16(), 201);
    assert!(text.contains(&format!("<ForwardTo>sb://127.0.0.1:{}/archive</ForwardTo>", bus.port())), "{text}");
    let new = bus.subscriptions(TOPIC).unwrap().into_iter().find(|found| found.name == "new").unwrap();
    assert_eq!((new.forward_to.as_deref(), new.requires_session), (Some("archive"), true));
}

#[tokio::test]
async fn a_disabled_subscription_gives_nothing() {
    let bus = namespace().await;
    publish(&bus, 1);
    bus.set_status(TOPIC, "all", SubscriptionStatus::ReceiveDisabled).unwrap();
    let mut client = Client::connect(&bus.connection_string()).await.unwrap();
    let refused = client.receive_one(TOPIC, "all", std::time::Duration::from_millis(10)).await.unwrap_err().to_string();
    assert!(refused.contains("entity-disabled"), "{refused}");
    client.close().await;
}
