//! Permissions: SASL, tokens and their scopes.

use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp_types::messaging::Body;
use local_azure::clock;
use local_azure::service_bus::{Call, ServiceBusConfig, SubscriptionConfig, TokenCheck, Value};
use tokio::time::timeout;

use test_support::peer::{
    ADDRESS, MANAGEMENT, PATIENCE, Peer, namespace, namespace_with, publish, signature, valid_signature,
};

const NAMESPACE_URL: &str = "sb://127.0.0.1/";
const TOPIC_URL: &str = "sb://127.0.0.1/files";
const SUBSCRIPTION_URL: &str = "sb://127.0.0.1/files/Subscriptions/all";
const MANAGEMENT_URL: &str = "sb://127.0.0.1/files/Subscriptions/all/$management";

#[tokio::test]
async fn a_key_opens_everything_and_a_wrong_one_nothing() {
    let bus = namespace().await;
    publish(&bus, 1);
    let mut peer = Peer::connect(&bus).await;
    assert_eq!(peer.node(MANAGEMENT).await.unwrap().peek(1, 1).await.status, 200);
    let wrong = SaslProfile::Plain { username: "RootManageSharedAccessKey".to_owned(), password: "wrong".to_owned() };
    assert!(Peer::try_connect(&bus, wrong).await.is_err());
}

#[tokio::test]
async fn nothing_is_open_without_a_token() {
    let bus = namespace().await;
    let mut peer = Peer::anonymous(&bus).await;
    let error = peer.node(MANAGEMENT).await.err().unwrap();
    assert!(error.contains("Unauthorized"), "{error}");
}

#[tokio::test]
async fn a_token_opens_what_it_is_about_and_what_is_below() {
    for name in [NAMESPACE_URL, TOPIC_URL, SUBSCRIPTION_URL, MANAGEMENT_URL, "sb://127.0.0.1/FILES/subscriptions/ALL"] {
        let bus = namespace().await;
        bus.create_topic("filesystem").unwrap();
        let mut peer = Peer::anonymous(&bus).await;
        assert_eq!(peer.put_token(name, &valid_signature(name)).await, 202, "{name}");
        assert!(peer.node(MANAGEMENT).await.is_ok(), "{name}");
        let neighbour = peer.node("filesystem/$management").await;
        assert_eq!(neighbour.is_ok(), name == NAMESPACE_URL, "{name}");
        assert!(bus.call_log().contains(&Call::PutToken { name: name.to_owned() }));
    }
}

#[tokio::test]
async fn a_topic_token_can_be_made_not_to_cover_subscriptions() {
    let config = ServiceBusConfig { topic_tokens_cover_subscriptions: false, ..ServiceBusConfig::new() };
    let bus = namespace_with(config, SubscriptionConfig::new("all")).await;
    let mut peer = Peer::anonymous(&bus).await;
    for name in [NAMESPACE_URL, TOPIC_URL] {
        assert_eq!(peer.put_token(name, &valid_signature(name)).await, 202);
    }
    let error = peer.node(MANAGEMENT).await.err().unwrap();
    assert!(error.contains("Unauthorized"), "{error}");
    // The signature may cover the whole namespace. The audience that it was put for decides.
    assert_eq!(peer.put_token(MANAGEMENT_URL, &valid_signature(NAMESPACE_URL)).await, 202);
    assert!(peer.node(MANAGEMENT).await.is_ok());
}

#[tokio::test]
async fn a_token_that_is_wrong_in_any_way_is_refused() {
    let bus = namespace().await;
    let mut peer = Peer::anonymous(&bus).await;
    let ServiceBusConfig { key_name, key, .. } = ServiceBusConfig::new();
    let later = clock::now() + time::Duration::hours(1);
    let earlier = clock::now() - time::Duration::seconds(1);
    for (what, token) in [
        ("wrong key", signature(TOPIC_URL, &key_name, "wrong", later)),
        ("wrong policy", signature(TOPIC_URL, "other", &key, later)),
        ("expired", signature(TOPIC_URL, &key_name, &key, earlier)),
        ("another resource", signature("sb://127.0.0.1/filesystem", &key_name, &key, later)),
        ("a narrower resource", signature(SUBSCRIPTION_URL, &key_name, &key, later)),
        ("malformed", "SharedAccessSignature sr=x".to_owned()),
        ("no signature", "a.b.c".to_owned()),
    ] {
        assert_eq!(peer.put_token(TOPIC_URL, &token).await, 401, "{what}");
    }
    let missing = "sb://127.0.0.1/missing";
    assert_eq!(peer.put_token(missing, &valid_signature(missing)).await, 404);
    let mut cbs = peer.node("$cbs").await.unwrap();
    assert_eq!(cbs.request(&[("operation", "dance")], "token".into()).await.status, 400);
}

#[tokio::test]
async fn tokens_of_another_kind_are_checked_by_whoever_issues_them() {
    let until = clock::now() + time::Duration::hours(1);
    let token_check: TokenCheck = Arc::new(move |token| (token == "a.b.c").then_some(until));
    let config = ServiceBusConfig { token_check: Some(token_check), ..ServiceBusConfig::new() };
    let bus = namespace_with(config, SubscriptionConfig::new("all")).await;
    let mut peer = Peer::anonymous(&bus).await;
    assert_eq!(peer.put_token(TOPIC_URL, "x.y.z").await, 401);
    assert_eq!(peer.put_token(TOPIC_URL, "a.b.c").await, 202);
    assert!(peer.node(MANAGEMENT).await.is_ok());
}

#[tokio::test]
async fn links_are_detached_when_their_token_expires_unless_it_was_renewed() {
    for renewed in [false, true] {
        let token_check: TokenCheck = Arc::new(|token| match token {
            "brief" => Some(clock::now() + time::Duration::seconds(1)),
            _ => Some(clock::now() + time::Duration::hours(1)),
        });
        let config = ServiceBusConfig { token_check: Some(token_check), ..ServiceBusConfig::new() };
        let bus = namespace_with(config, SubscriptionConfig::new("all")).await;
        let mut peer = Peer::anonymous(&bus).await;
        assert_eq!(peer.put_token(TOPIC_URL, "brief").await, 202);
        let mut receiver = Receiver::attach(&mut peer.session, "receiver", ADDRESS).await.unwrap();
        if renewed {
            assert_eq!(peer.put_token(TOPIC_URL, "endless").await, 202);
        }
        let patience = if renewed { Duration::from_millis(1_500) } else { PATIENCE };
        match timeout(patience, receiver.recv::<Body<Value>>()).await {
            Ok(Err(error)) => assert!(!renewed, "{error}"),
            Ok(Ok(_)) => panic!("there are no messages"),
            Err(_) => assert!(renewed, "it is still attached"),
        }
    }
}
