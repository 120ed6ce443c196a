//! Untrusted bytes of Service Bus, for the targets in tests/fuzz.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::io::DuplexStream;
use tokio::time::timeout;

use super::connection::{Connection, Endpoint};
use super::failure::Failure;
use super::topic_links::TopicLinks;
use super::{CONNECT_TIMEOUT, EntraTokens, Namespace, PEEK_TIMEOUT, REVIVE_TIMEOUT, Tokens};
use crate::azure::credential::{AccessToken, CredentialError};
use crate::clock::Clock;
use crate::message::PeekedMessage;
use crate::settings::ServiceBusAuth;

/// The messages of a reply.
///
/// # Errors
/// If the reply is not one.
pub fn page(body: &[u8]) -> Result<Vec<PeekedMessage>, String> {
    super::peek::page(body)
}

/// The pages that two passes peek over a connection which the second pass uses again, until something fails. The subscription
/// is called `a`; a page has 100 messages.
pub async fn pages(service: DuplexStream) -> Vec<Vec<PeekedMessage>> {
    let mut pages = Vec::new();
    let Some(links) = timeout(CONNECT_TIMEOUT, open(service)).await.ok().and_then(Result::ok) else { return pages };
    pages.extend(peek(&links).await);
    let Some(links) = timeout(REVIVE_TIMEOUT, links.revive()).await.ok().flatten() else { return pages };
    pages.extend(peek(&links).await);
    // It is not closed: the library spins until the service answers that, and a paused clock stands still meanwhile.
    pages
}

async fn open(service: DuplexStream) -> Result<TopicLinks, Failure> {
    let endpoint = Endpoint { host: "fuzz".to_owned(), port: 5672, tls: false };
    let auth = ServiceBusAuth::SharedAccessKey { name: "policy".to_owned(), key: "key".into() };
    let tokens = Tokens { auth, credential: Arc::new(NoIdentity), clock: Clock::system() };
    let namespace = Namespace { endpoint, topic: "files".to_owned(), tokens, peek_timeout: PEEK_TIMEOUT };
    // There is no socket to shut down.
    let no_socket = OwnedFd::from(File::open("/dev/null").expect("it is always there")).into();
    let connection = Connection::over(&namespace.endpoint.host, service, no_socket).await?;
    TopicLinks::over(connection, &namespace).await
}

async fn peek(links: &TopicLinks) -> Option<Vec<PeekedMessage>> {
    let peeked = timeout(PEEK_TIMEOUT, links.peek("a", 0, 100, PEEK_TIMEOUT)).await.ok()?;
    page(&peeked.ok()?).ok()
}

#[derive(Debug)]
struct NoIdentity;

#[async_trait]
impl EntraTokens for NoIdentity {
    async fn token(&self, _: &str) -> Result<AccessToken, CredentialError> {
        unreachable!("a shared access key needs no identity")
    }

    async fn another(&self, _: &str, _: &SecretString) -> Option<AccessToken> {
        None
    }
}
