//! Peeking a Service Bus over real sockets.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod authorization;
mod failures;
mod kept;
mod network;
mod pages;

use std::sync::Arc;
use std::time::Duration;

use aci_scaler::azure::credential::{AccessToken, CredentialError};
use aci_scaler::azure::service_bus::{EntraTokens, PEEK_TIMEOUT, ServiceBus, ServiceBusPeeker};
use aci_scaler::clock::Clock;
use aci_scaler::message::{InvalidMessage, PeekedMessage};
use aci_scaler::services::{Messages as _, PeekError, Peeker as _};
use aci_scaler::settings::{ServiceBusAuth, ServiceBusSettings};
use futures_util::future::join_all;
use local_azure::service_bus as local;
use local_azure::service_bus::{Call, Effect, Fault, Operation, OutgoingMessage, SubscriptionConfig, Value};
use secrecy::{ExposeSecret as _, SecretString};

const TOPIC: &str = "files";

#[derive(Debug)]
struct Identity(Option<SecretString>);

#[async_trait::async_trait]
impl EntraTokens for Identity {
    async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError> {
        let secret = self.0.clone();
        let expires_at = Clock::system().now() + Duration::from_hours(1);
        let no_token =
            || CredentialError { scope: scope.to_owned(), kind: "a test", reason: "there is no identity".into() };
        secret.map(|secret| AccessToken { secret, expires_at }).ok_or_else(no_token)
    }

    async fn another(&self, _: &str, _: &SecretString) -> Option<AccessToken> {
        None
    }
}

async fn start(config: local::ServiceBusConfig, subscriptions: &[&str]) -> local::ServiceBus {
    let namespace = local::ServiceBus::start(config).await.unwrap();
    namespace.create_topic(TOPIC).unwrap();
    for name in subscriptions {
        namespace.create_subscription(TOPIC, SubscriptionConfig::new(*name)).unwrap();
    }
    namespace
}

fn key() -> ServiceBusAuth {
    let local::ServiceBusConfig { key_name, key, .. } = local::ServiceBusConfig::new();
    ServiceBusAuth::SharedAccessKey { name: key_name, key: key.into() }
}

fn settings(namespace: &local::ServiceBus, auth: ServiceBusAuth) -> ServiceBusSettings {
    ServiceBusSettings {
        host: "127.0.0.1".to_owned(),
        port: namespace.port(),
        tls: false,
        auth,
        namespace: namespace.namespace().to_owned(),
        topic: TOPIC.to_owned(),
        resource_group: "group".to_owned(),
    }
}

fn client(namespace: &local::ServiceBus, auth: ServiceBusAuth, identity: Option<&str>, clock: Clock) -> ServiceBus {
    let settings = settings(namespace, auth);
    let identity = Arc::new(Identity(identity.map(Into::into)));
    ServiceBus::new(&settings, identity, clock, PEEK_TIMEOUT)
}

fn client_with_patience(namespace: &local::ServiceBus, patience: Duration) -> ServiceBus {
    ServiceBus::new(&settings(namespace, key()), Arc::new(Identity(None)), Clock::system(), patience)
}

async fn connect(namespace: &local::ServiceBus) -> ServiceBusPeeker {
    client(namespace, key(), None, Clock::system()).connect().await.unwrap()
}

async fn connect_with_patience(namespace: &local::ServiceBus, patience: Duration) -> ServiceBusPeeker {
    client_with_patience(namespace, patience).connect().await.unwrap()
}

fn message(number: usize) -> OutgoingMessage {
    let id = Value::String(format!("m{number}"));
    OutgoingMessage::new().message_id(id).property("file_size_mb".to_owned(), 50_i32).body("not looked at")
}

fn numbers(page: &[PeekedMessage]) -> Vec<i64> {
    page.iter().map(|message| message.sequence_number).collect()
}

async fn peek(
    peeker: &ServiceBusPeeker,
    subscription: &str,
    from: i64,
    count: u32,
) -> Result<Vec<PeekedMessage>, PeekError> {
    peeker.peek(&subscription.into(), from, count).await
}

async fn drain(peeker: &ServiceBusPeeker, subscription: &str, page_size: u32) -> Vec<PeekedMessage> {
    let mut all = Vec::new();
    loop {
        let from = all.last().map_or(1, |last: &PeekedMessage| last.sequence_number + 1);
        let page = peek(peeker, subscription, from, page_size).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn fault_at(subscription: &str, operation: Operation, effect: Effect) -> Fault {
    Fault::new(operation, effect).of_subscription(TOPIC, subscription)
}
