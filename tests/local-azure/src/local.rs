//! The whole local Azure, wired together.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};

use crate::black_hole::BlackHoles;
use crate::control;
use crate::identity::{IdentityConfig, SERVICE_BUS_AUDIENCE};
use crate::passes::Passes;
use crate::resource_manager::{ResourceManager, ResourceManagerConfig, Topic, TopicSubscription, TopicSubscriptions};
use crate::service_bus::{ServiceBus, ServiceBusConfig, SubscriptionSummary};

/// The topic that the scaler of [`LocalAzure::scaler_environment`] reads.
pub const TOPIC: &str = "files";

/// The image of the container groups that the scaler of [`LocalAzure::scaler_environment`] makes.
pub const IMAGE: &str = "local/worker:latest";

/// The Azure subscription.
pub const SUBSCRIPTION_ID: &str = "00000000-0000-0000-0000-000000000001";

/// The identity of the workers, in the only resource group.
pub const WORKERS_IDENTITY: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/local/providers/\
                                    Microsoft.ManagedIdentity/userAssignedIdentities/worker";

/// The only resource group.
pub const RESOURCE_GROUP: &str = "local";

/// Service Bus, Resource Manager with container instances, and managed identity, which know each other: the topic's
/// subscriptions are in Resource Manager, and tokens of the identity open Service Bus. A page for people and the control
/// API are where Resource Manager is.
#[derive(Clone, Debug)]
pub struct LocalAzure {
    /// The namespace `local`, with the topic [`TOPIC`], which has no subscriptions yet.
    pub service_bus: ServiceBus,
    /// Resource Manager.
    pub resource_manager: ResourceManager,
    /// Addresses that swallow packets.
    pub black_holes: BlackHoles,
    /// The scaler's last passes, as far as they were reported.
    pub passes: Passes,
}

/// How a [`LocalAzure`] is set up.
#[derive(Clone, Debug)]
pub struct LocalAzureConfig {
    /// Service Bus; who checks its tokens is set by [`LocalAzure::start`].
    pub service_bus: ServiceBusConfig,
    /// Resource Manager; where its topics come from is set by [`LocalAzure::start`].
    pub resource_manager: ResourceManagerConfig,
}

impl Default for LocalAzureConfig {
    /// Everything on any free port, with groups that finish within milliseconds.
    fn default() -> Self {
        let resource_manager = ResourceManagerConfig {
            subscription_id: SUBSCRIPTION_ID.to_owned(),
            resource_groups: vec![RESOURCE_GROUP.to_owned()],
            identity: IdentityConfig { header: Some("local-azure".to_owned()), ..IdentityConfig::default() },
            ..ResourceManagerConfig::default()
        };
        Self { service_bus: ServiceBusConfig::default(), resource_manager }
    }
}

impl LocalAzure {
    /// Starts all of it.
    ///
    /// # Errors
    /// When a port cannot be listened on.
    pub async fn start(config: LocalAzureConfig) -> io::Result<Self> {
        let identity = Arc::new(OnceLock::new());
        let token_check = {
            let identity = Arc::clone(&identity);
            move |token: &str| {
                let manager: &ResourceManager = identity.get()?;
                manager.identity().expiry(token, SERVICE_BUS_AUDIENCE).ok()
            }
        };
        let service_bus =
            ServiceBus::start(ServiceBusConfig { token_check: Some(Arc::new(token_check)), ..config.service_bus })
                .await?;
        service_bus.create_topic(TOPIC).map_err(io::Error::other)?;

        let topics = Topics(service_bus.clone());
        let (passes, black_holes) = (Passes::default(), BlackHoles::default());
        let config = ResourceManagerConfig { topics: Arc::new(topics), ..config.resource_manager };
        let resource_manager = ResourceManager::start_with(config, |manager| {
            let (service_bus, passes, black_holes) = (service_bus.clone(), passes.clone(), black_holes.clone());
            control::routes(Self { service_bus, resource_manager: manager.clone(), black_holes, passes })
        })
        .await?;
        // It was empty until now.
        _ = identity.set(resource_manager.clone());
        Ok(Self { service_bus, resource_manager, black_holes, passes })
    }

    /// The additional variables of a scaler whose workers use an identity instead of a connection string.
    pub fn identity_environment(&self) -> BTreeMap<String, String> {
        let namespace = format!("127.0.0.1:{}", self.service_bus.port());
        [("ACI_IDENTITY", WORKERS_IDENTITY), ("INSTANCE_SERVICE_BUS_NAMESPACE", &namespace)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// The ports that it listens on.
    pub fn ports(&self) -> Vec<u16> {
        let resource_manager =
            self.resource_manager.endpoint().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        resource_manager.into_iter().chain([self.service_bus.port()]).collect()
    }

    /// The complete environment of a scaler that works on this local Azure; a test may change it.
    pub fn scaler_environment(&self) -> BTreeMap<String, String> {
        let connection_string = self.service_bus.connection_string();
        [
            ("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION_ID),
            ("AZURE_RESOURCE_GROUP", RESOURCE_GROUP),
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", self.resource_manager.endpoint()),
            ("IDENTITY_ENDPOINT", &self.resource_manager.identity_endpoint()),
            ("IDENTITY_HEADER", self.resource_manager.identity_header()),
            ("ACI_IMAGE", IMAGE),
            ("ACI_NAME_PREFIX", "worker"),
            ("ACI_LOCATION", "westeurope"),
            ("SB_CONNECTION_STR", &connection_string),
            ("SB_NAMESPACE", self.service_bus.namespace()),
            ("SB_TOPIC_NAME", TOPIC),
            ("INSTANCE_SERVICE_BUS_CONNECTION_STRING", &connection_string),
            ("INSTANCE_TOPIC", TOPIC),
            ("INSTANCE_SUBSCRIPTION_ENV_NAME", "SUBSCRIPTION"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }
}

/// What Resource Manager shows of the namespace.
struct Topics(ServiceBus);

impl Topics {
    fn is_ours(&self, namespace: &str) -> bool {
        namespace.eq_ignore_ascii_case(self.0.namespace())
    }
}

impl TopicSubscriptions for Topics {
    fn list(&self, namespace: &str, topic: &str) -> Option<Vec<TopicSubscription>> {
        let subscriptions = self.is_ours(namespace).then(|| self.0.subscriptions(topic).ok()).flatten()?;
        Some(subscriptions.into_iter().map(listed).collect())
    }

    fn topic(&self, namespace: &str, topic: &str) -> Option<Topic> {
        let found = self.is_ours(namespace).then(|| self.0.topic(topic).ok()).flatten()?;
        Some(Topic {
            enable_partitioning: found.partitioning.is_some(),
            subscription_count: found.subscriptions,
            scheduled_message_count: found.scheduled_messages,
        })
    }
}

fn listed(subscription: SubscriptionSummary) -> TopicSubscription {
    TopicSubscription {
        status: subscription.status.as_str().to_owned(),
        requires_session: subscription.requires_session,
        forward_to: subscription.forward_to,
        dead_letter_message_count: subscription.dead_letter_messages as u64,
        ..TopicSubscription::active(subscription.name, subscription.active_messages as u64)
    }
}
