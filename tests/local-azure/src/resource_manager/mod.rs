//! Azure Resource Manager on the loopback address, as far as the scaler uses it, and the managed identity whose tokens it
//! accepts.
//!
//! It has container groups (PUT, GET, list, PATCH of tags, DELETE, stop, start, restart, logs), usages and capabilities of a
//! location, asynchronous operations, the subscriptions of Service Bus topics, permissions, the settings of Function Apps, and
//! `GET /msi/token` for tokens. Tests inject [`Fault`]s into any of them, and read the requests from
//! [`ResourceManager::calls`] and the results from [`ResourceManager::container_groups`].
//!
//! Where the real service is known only from its documentation, the stand-in follows that. What is not documented is marked as
//! inferred.

mod account;
mod answer;
mod calls;
mod connection;
mod effect;
mod fault;
mod gateway;
mod group_requests;
mod handler;
mod operation;
mod paths;
mod rate_limit;
mod regions;
mod service;
mod topic_requests;
mod topics;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use answer::Answer;
pub use calls::Call;
pub use effect::NextLink;
pub use fault::{Fault, Trigger};
pub use operation::{OperationKind, Operations};
pub use rate_limit::RateLimit;
pub use topics::{Topic, TopicSubscription, TopicSubscriptions};

use crate::container_groups::{ContainerGroups, ContainerGroupsConfig};
use crate::identity::{Identity, IdentityConfig, RESOURCE_MANAGER_AUDIENCE};
use connection::{BreakableListener, Breaker};
use handler::Shared;
use service::Service;

/// The largest body that Azure Resource Manager accepts: 4 MB.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// How a stand-in is set up.
#[derive(Clone)]
pub struct ResourceManagerConfig {
    /// Where to listen; port 0 for any free port.
    pub listen: SocketAddr,
    /// The Azure subscription.
    pub subscription_id: String,
    /// The resource groups in it.
    pub resource_groups: Vec<String>,
    /// The locations in which container groups can be created, in their short form (`westeurope`).
    pub locations: Vec<String>,
    /// The audience that tokens must have been issued for.
    pub audience: String,
    /// How many container groups a page of their list has.
    pub page_size: usize,
    /// How many subscriptions a page of their list has, if the client does not say.
    pub topic_page_size: usize,
    /// Whether [`Call::answer`] is kept, for tests. A stand-in that runs for days should not keep it.
    pub keep_answers: bool,
    /// How many container groups may be created and deleted.
    pub rate_limit: RateLimit,
    /// The identities that get tokens.
    pub identity: IdentityConfig,
    /// How container groups run.
    pub container_groups: ContainerGroupsConfig,
    /// The subscriptions of topics.
    pub topics: Arc<dyn TopicSubscriptions>,
}

impl Default for ResourceManagerConfig {
    /// A resource group `rg-workers`, every region of the public cloud, a namespace without topics, on any free port.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            subscription_id: "11111111-1111-1111-1111-111111111111".to_owned(),
            resource_groups: vec!["rg-workers".to_owned()],
            locations: regions::REGIONS.map(str::to_owned).to_vec(),
            audience: RESOURCE_MANAGER_AUDIENCE.to_owned(),
            page_size: 50,
            topic_page_size: 100,
            keep_answers: true,
            rate_limit: RateLimit::default(),
            identity: IdentityConfig::default(),
            container_groups: ContainerGroupsConfig::default(),
            topics: Arc::new(|_: &str, _: &str| None),
        }
    }
}

impl fmt::Debug for ResourceManagerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceManagerConfig")
            .field("listen", &self.listen)
            .field("subscription_id", &self.subscription_id)
            .field("resource_groups", &self.resource_groups)
            .finish_non_exhaustive()
    }
}

/// A running stand-in. Clones are handles of the same one; it runs until [`ResourceManager::stop`] or the end of the
/// runtime.
#[derive(Clone, Debug)]
pub struct ResourceManager {
    shared: Arc<Shared>,
    /// Closed when the server has ended.
    ended: watch::Receiver<()>,
}

impl ResourceManager {
    /// Listens and serves.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn start(config: ResourceManagerConfig) -> io::Result<Self> {
        Self::start_with(config, |_| Router::new()).await
    }

    /// Does the same, and also serves these routes.
    pub(crate) async fn start_with(
        config: ResourceManagerConfig,
        more: impl FnOnce(&Self) -> Router,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::new(Service::new(config, endpoint)));
        let (ending, ended) = watch::channel(());
        let manager = Self { shared: Arc::clone(&shared), ended };
        let router = Router::new()
            .fallback(handler::handle)
            .with_state(Arc::clone(&shared))
            .merge(more(&manager))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .into_make_service_with_connect_info::<Breaker>();
        let stopping = shared;
        tokio::spawn(async move {
            let served = axum::serve(BreakableListener(listener), router);
            // Serving ends without an error: it goes on after errors of single connections.
            _ = served.with_graceful_shutdown(async move { stopping.stopped().await }).await;
            drop(ending);
        });
        Ok(manager)
    }

    /// `http://127.0.0.1:PORT`: the endpoint of Azure Resource Manager.
    pub fn endpoint(&self) -> &str {
        &self.shared.service.endpoint
    }

    /// What a Function App has in `IDENTITY_ENDPOINT`.
    pub fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.endpoint())
    }

    /// What a Function App has in `IDENTITY_HEADER`.
    pub fn identity_header(&self) -> &str {
        self.identity().header()
    }

    /// The identity, to check tokens or to make them expire.
    pub fn identity(&self) -> &Identity {
        &self.shared.service.identity
    }

    /// The container groups.
    pub fn container_groups(&self) -> &ContainerGroups {
        &self.shared.service.groups
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// The faults, each with how often it will still happen.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Changes how many container groups may be created and deleted; earlier requests still count.
    pub fn set_rate_limit(&self, limit: RateLimit) {
        self.shared.service.rate.lock().unwrap_or_else(PoisonError::into_inner).limit(limit);
    }

    /// Sets what the identity may do everywhere; at first it may do everything.
    pub fn set_permissions(&self, actions: &[&str], data_actions: &[&str]) {
        self.shared.service.account.set_permissions(actions, data_actions);
    }

    /// Sets the settings of a Function App; at first there is no app.
    pub fn set_app_settings(&self, app: &str, settings: BTreeMap<String, String>) {
        self.shared.service.account.set_app_settings(app, settings);
    }

    /// All requests, in the order in which they arrived.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.calls()
    }

    /// Forgets the requests so far.
    pub fn forget_calls(&self) {
        self.shared.calls.forget();
    }

    /// The most requests of a kind that were under way at once.
    pub fn most_at_once(&self, kind: OperationKind) -> usize {
        self.shared.calls.most_at_once(kind)
    }

    /// Ends all runs and connections, and waits for the end of them. Requests that hang are reset.
    pub async fn stop(&self) {
        self.shared.stop();
        self.container_groups().stop();
        // The sender never sends; when it is dropped, the server has ended.
        _ = self.ended.clone().changed().await;
    }
}
