//! What Azure Resource Manager checks before it passes a request to a service.

use axum::http::{HeaderMap, header};

use super::answer::Answer;
use super::operation::Resource;
use super::service::{Request, Service};
use crate::clock;
use crate::identity::TokenRejected;

/// The api-versions of container instances.
const ACI_API_VERSIONS: [&str; 12] = [
    "2021-07-01",
    "2021-09-01",
    "2021-10-01",
    "2022-09-01",
    "2022-10-01-preview",
    "2023-02-01-preview",
    "2023-05-01",
    "2024-05-01-preview",
    "2024-09-01-preview",
    "2024-10-01-preview",
    "2024-11-01-preview",
    "2025-09-01",
];
/// The api-versions of Service Bus.
const SERVICE_BUS_API_VERSIONS: [&str; 5] =
    ["2017-04-01", "2021-11-01", "2022-10-01-preview", "2024-01-01", "2026-01-01"];
/// Api-versions of role assignments and permissions, of subscriptions, and of App Service: the stable ones of the last years.
const AUTHORIZATION_API_VERSIONS: [&str; 3] = ["2015-07-01", "2018-07-01", "2022-04-01"];
const SUBSCRIPTIONS_API_VERSIONS: [&str; 3] = ["2020-01-01", "2021-01-01", "2022-12-01"];
const WEB_API_VERSIONS: [&str; 4] = ["2022-03-01", "2022-09-01", "2023-12-01", "2024-04-01"];
/// The api-versions of managed identities.
const IDENTITY_API_VERSIONS: [&str; 3] = ["2018-11-30", "2023-01-31", "2024-11-30"];
/// The api-version that `Azure-AsyncOperation` links carry, in recorded answers.
pub(super) const OPERATION_API_VERSION: &str = "2018-06-01";

impl Service {
    /// Checks the token, the API version, and that the resource can exist.
    pub(super) fn admit(&self, subscription: &str, resource: &Resource, request: &Request<'_>) -> Result<(), Answer> {
        self.authenticate(request.headers)?;
        let version = request.query.get("api-version").filter(|version| !version.is_empty()).ok_or_else(|| {
            let message = "The api-version query parameter (?api-version=) is required for all requests.";
            Answer::error(400, "MissingApiVersionParameter", message).by_gateway()
        })?;
        self.check_version(resource, version)?;
        if *resource != Resource::Subscriptions && !subscription.eq_ignore_ascii_case(&self.config.subscription_id) {
            let message = format!("The subscription '{subscription}' could not be found.");
            return Err(Answer::error(404, "SubscriptionNotFound", &message).by_gateway());
        }
        let Some(asked) = resource.resource_group() else { return Ok(()) };
        if !self.config.resource_groups.iter().any(|have| have.eq_ignore_ascii_case(asked)) {
            let message = format!("Resource group '{asked}' could not be found.");
            return Err(Answer::error(404, "ResourceGroupNotFound", &message).by_gateway());
        }
        Ok(())
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<(), Answer> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = authorization.and_then(|value| value.split_once(' ')) else {
            let message = "Authentication failed. The 'Authorization' header is missing.";
            return Err(Answer::unauthorized("AuthenticationFailed", message));
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            let message = "Authentication failed. The 'Authorization' header is provided in an invalid format.";
            return Err(Answer::unauthorized("AuthenticationFailedInvalidHeader", message));
        }
        self.identity.check(token, &self.config.audience).map_err(|rejected| match rejected {
            TokenRejected::Unknown => {
                Answer::unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
            }
            TokenRejected::Expired { at } => Answer::token_expired(at, clock::now()),
            TokenRejected::OtherAudience { audience } => {
                let message = format!(
                    "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly \
                     match with one of the allowed audiences '{}/'.",
                    self.config.audience
                );
                Answer::unauthorized("InvalidAuthenticationTokenAudience", &message)
            }
        })
    }

    fn check_version(&self, resource: &Resource, version: &str) -> Result<(), Answer> {
        let (known, of): (&[&str], _) = match resource {
            Resource::Topic { .. } => (&SERVICE_BUS_API_VERSIONS, "namespaces/topics"),
            Resource::TopicSubscriptions { .. } | Resource::TopicSubscription { .. } => {
                (&SERVICE_BUS_API_VERSIONS, "namespaces/topics/subscriptions")
            }
            Resource::Permissions => (&AUTHORIZATION_API_VERSIONS, "permissions"),
            Resource::Subscriptions => (&SUBSCRIPTIONS_API_VERSIONS, "subscriptions"),
            Resource::AppSettings { .. } => (&WEB_API_VERSIONS, "sites/config"),
            Resource::Identity { .. } => (&IDENTITY_API_VERSIONS, "userAssignedIdentities"),
            Resource::AsyncOperation { .. } if version == OPERATION_API_VERSION => return Ok(()),
            _ => (&ACI_API_VERSIONS, "containerGroups"),
        };
        if known.contains(&version) {
            return Ok(());
        }
        let (location, locations, known) = (self.location(), self.config.locations.join(", "), known.join(", "));
        let message = format!(
            "No registered resource provider found for location '{location}' and API version '{version}' for type \
             '{of}'. The supported api-versions are '{known}'. The supported locations are '{locations}'."
        );
        Err(Answer::error(400, "NoRegisteredProviderFound", &message))
    }
}
