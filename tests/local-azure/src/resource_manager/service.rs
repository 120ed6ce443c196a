//! What Azure Resource Manager and the identity endpoint do with a request.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::ResourceManagerConfig;
use super::account::Account;
use super::answer::Answer;
use super::effect::Changes;
use super::operation::{Operation, Resource, Verb};
use super::rate_limit::RateLimiter;
use crate::container_groups::ContainerGroups;
use crate::identity::Identity;

/// A request's parsed query.
pub(super) type Query = HashMap<String, String>;

#[derive(Debug)]
pub(super) struct Service {
    pub config: ResourceManagerConfig,
    /// `http://127.0.0.1:PORT`, for links.
    pub endpoint: String,
    pub groups: ContainerGroups,
    pub identity: Identity,
    pub rate: Mutex<RateLimiter>,
    pub account: Account,
}

/// A request, as far as its answer depends on it.
pub(super) struct Request<'a> {
    pub path: &'a str,
    pub query: &'a Query,
    pub headers: &'a HeaderMap,
    pub path_and_query: &'a str,
    pub body: &'a [u8],
    /// What faults change about the answer.
    pub changes: Changes,
}

impl Service {
    pub(super) fn new(config: ResourceManagerConfig, endpoint: String) -> Self {
        let groups = ContainerGroups::new(config.subscription_id.clone(), config.container_groups.clone());
        let identity = Identity::new(config.identity.clone());
        groups.set_identity(identity.clone(), format!("{endpoint}/msi/token"));
        let rate = Mutex::new(RateLimiter::new(config.rate_limit));
        Self { config, endpoint, groups, identity, rate, account: Account::default() }
    }

    /// Carries out the request. It does not await anything, so that it takes effect entirely or not at all.
    pub(super) fn answer(&self, operation: &Operation, request: &Request<'_>) -> Answer {
        match operation {
            Operation::Token => self.token(request),
            Operation::Unknown => {
                Answer::error(404, "InvalidResourceType", "The resource type could not be found.").by_gateway()
            }
            Operation::Arm { subscription, resource } => self
                .admit(subscription, resource, request)
                .map_or_else(|refusal| refusal, |()| self.serve(resource, request)),
        }
    }

    fn token(&self, request: &Request<'_>) -> Answer {
        let header = request.headers.get("x-identity-header").and_then(|value| value.to_str().ok());
        match self.identity.token(header, request.query) {
            Ok(token) => Answer::json(200, &token),
            Err(refused) => Answer::json(refused.status(), &refused.to_json()),
        }
    }

    fn serve(&self, resource: &Resource, request: &Request<'_>) -> Answer {
        let read = |answer: Answer| answer.header("x-ms-ratelimit-remaining-subscription-reads", "249");
        match resource {
            Resource::Groups { resource_group } => read(self.list(resource_group, request)),
            Resource::Group { resource_group, name, verb } => match verb {
                Verb::Get => read(self.show(resource_group, name)),
                Verb::Put => self.put(resource_group, name, request),
                Verb::Patch => self.patch(resource_group, name, request),
                Verb::Delete => self.delete(resource_group, name, request),
                Verb::Stop => self.stop(resource_group, name),
                Verb::Start | Verb::Restart => self.start(resource_group, name, *verb),
            },
            Resource::Logs { resource_group, name, container } => {
                read(self.logs(resource_group, name, container, request.query))
            }
            Resource::Usages { location } => read(self.usages(location)),
            Resource::Capabilities { location } => read(Self::capabilities(location)),
            Resource::Subscriptions => read(self.subscriptions()),
            Resource::Permissions => read(self.permissions()),
            Resource::AppSettings { app, .. } => self.app_settings(app, request.path),
            Resource::AsyncOperation { id } => read(self.async_operation(id)),
            Resource::Identity { name, .. } => read(self.managed_identity(name, request.path)),
            Resource::Topic { namespace, topic, .. } => read(self.topic(namespace, topic, request.path)),
            Resource::TopicSubscriptions { namespace, topic, .. } => {
                read(self.topic_subscriptions(namespace, topic, request))
            }
            Resource::TopicSubscription { namespace, topic, name, .. } => {
                read(self.topic_subscription(namespace, topic, name, request.path))
            }
        }
    }

    fn usages(&self, location: &str) -> Answer {
        let id = format!(
            "/subscriptions/{}/providers/Microsoft.ContainerInstance/locations/{location}/usages",
            self.config.subscription_id
        );
        let usages: Vec<Value> = self
            .groups
            .usages(location)
            .iter()
            .map(|usage| {
                json!({
                    "id": format!("{id}/{}", usage.quota),
                    "unit": "Count",
                    "currentValue": whole(usage.used),
                    "limit": usage.limit,
                    "name": { "value": usage.quota, "localizedValue": usage.display_name },
                })
            })
            .collect();
        Answer::json(200, &json!({ "value": usages }))
    }

    /// A user-assigned identity: one with every name exists. Its body is as the REST reference of api-version 2023-01-31
    /// shows it.
    fn managed_identity(&self, name: &str, path: &str) -> Answer {
        let body = json!({
            "id": path,
            "name": name,
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "location": self.location(),
            "tags": {},
            "properties": {
                "tenantId": "44444444-4444-4444-4444-444444444444",
                "principalId": "22222222-2222-2222-2222-222222222222",
                "clientId": self.identity.user_assigned_client_id(),
            },
        });
        Answer::json(200, &body)
    }

    fn async_operation(&self, id: &str) -> Answer {
        let message = format!("The operation '{id}' is not found.");
        self.groups.async_operation(id).map_or_else(
            || Answer::error(404, "OperationNotFound", &message),
            |operation| Answer::json(200, &operation),
        )
    }

    /// The location of resources without one of their own here.
    pub(super) fn location(&self) -> &str {
        self.config.locations.first().map_or("", String::as_str)
    }
}

/// Quotas are whole numbers, so a part of a core counts as a core.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "usages are small and not negative")]
fn whole(used: f64) -> u64 {
    used.ceil() as u64
}
