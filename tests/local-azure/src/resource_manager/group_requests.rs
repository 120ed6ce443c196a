//! Requests about container groups.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::answer::Answer;
use super::gateway::OPERATION_API_VERSION;
use super::service::{Query, Request, Service};
use crate::container_groups::{
    GroupSpec, LogQuery, LogRefused, PutRefused, Transitioning, is_same_location, parse_patch,
};

impl Service {
    pub(super) fn list(&self, resource_group: &str, request: &Request<'_>) -> Answer {
        let token = request.query.get("$skiptoken");
        let after = token.map(|token| URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok()));
        if after == Some(None) {
            return Answer::error(400, "InvalidSkipToken", "The skip token is invalid.");
        }
        let (groups, more) = self.groups.list(resource_group, after.flatten().as_deref(), self.config.page_size);
        let last = groups.last().and_then(|group| group["name"].as_str()).map(str::to_lowercase);
        let mut page = json!({ "value": groups });
        if let (true, Some(last)) = (more, last) {
            let token = URL_SAFE_NO_PAD.encode(last);
            let version = request.query.get("api-version").map_or("", String::as_str);
            let link = format!("{}{}?api-version={version}&%24skiptoken={token}", self.endpoint, request.path);
            page["nextLink"] = json!(link);
        }
        Answer::json(200, &page)
    }

    pub(super) fn show(&self, resource_group: &str, name: &str) -> Answer {
        self.groups
            .show(resource_group, name)
            .map_or_else(|| group_not_found(resource_group, name), |group| Answer::json(200, &group))
    }

    pub(super) fn put(&self, resource_group: &str, name: &str, body: &[u8]) -> Answer {
        let spec = match GroupSpec::parse(name, body) {
            Ok(spec) => spec,
            Err(invalid) => return Answer::from(&invalid),
        };
        let Some(location) = self.config.locations.iter().find(|have| is_same_location(have, &spec.location)) else {
            let message = format!(
                "The provided location '{}' is not available for resource type \
                 'Microsoft.ContainerInstance/containerGroups'. List of available regions for the resource type is \
                 '{}'.",
                spec.location,
                self.config.locations.join(",")
            );
            return Answer::error(400, "LocationNotAvailableForResourceType", &message).by_gateway();
        };
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = rate.exhausted() {
            return rate.mark(Answer::too_many_requests(wait));
        }
        match self.groups.put(resource_group, name, spec, body) {
            Err(refused) => put_refused(&refused),
            Ok(put) => {
                rate.take();
                let operation = format!(
                    "{}/subscriptions/{}/providers/Microsoft.ContainerInstance/locations/{location}/operations/{}\
                     ?api-version={OPERATION_API_VERSION}",
                    self.endpoint, self.config.subscription_id, put.operation
                );
                let answer = Answer::json(if put.created { 201 } else { 200 }, &put.group)
                    .header("azure-asyncoperation", operation)
                    .header("x-ms-ratelimit-remaining-subscription-writes", "199");
                rate.mark(answer)
            }
        }
    }

    pub(super) fn patch(&self, resource_group: &str, name: &str, body: &[u8]) -> Answer {
        let tags = match parse_patch(body) {
            Ok(tags) => tags,
            Err(invalid) => return Answer::from(&invalid),
        };
        self.groups
            .patch(resource_group, name, tags)
            .map_or_else(|| group_not_found(resource_group, name), |group| Answer::json(200, &group))
            .header("x-ms-ratelimit-remaining-subscription-writes", "199")
    }

    pub(super) fn delete(&self, resource_group: &str, name: &str) -> Answer {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = rate.exhausted() {
            return rate.mark(Answer::too_many_requests(wait));
        }
        let answer = match self.groups.delete(resource_group, name) {
            Err(transitioning) => return transition(&transitioning),
            Ok(None) => Answer::empty(204),
            Ok(Some(group)) => {
                rate.take();
                Answer::json(200, &group)
            }
        };
        rate.mark(answer.header("x-ms-ratelimit-remaining-subscription-deletes", "199"))
    }

    pub(super) fn logs(&self, resource_group: &str, name: &str, container: &str, query: &Query) -> Answer {
        let tail = match query.get("tail").map(|tail| tail.parse()) {
            None => None,
            Some(Ok(tail)) => Some(tail),
            Some(Err(_)) => {
                return Answer::error(400, "InvalidRequestParameter", "The parameter 'tail' is not a number.");
            }
        };
        let timestamps = query.get("timestamps").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        match self.groups.log(resource_group, name, container, LogQuery { tail, timestamps }) {
            Ok(content) => Answer::json(200, &json!({ "content": content })),
            Err(LogRefused::NoGroup { .. }) => group_not_found(resource_group, name),
            Err(refused @ LogRefused::NoContainer { .. }) => {
                Answer::error(404, "ContainerNotFound", &refused.to_string())
            }
            Err(refused @ LogRefused::NotAvailable { .. }) => {
                Answer::error(404, "ContainerLogNotAvailable", &refused.to_string())
            }
        }
    }
}

fn group_not_found(resource_group: &str, name: &str) -> Answer {
    let message = format!(
        "The Resource 'Microsoft.ContainerInstance/containerGroups/{name}' under resource group '{resource_group}' was \
         not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    );
    Answer::error(404, "ResourceNotFound", &message).by_gateway()
}

fn transition(transitioning: &Transitioning) -> Answer {
    Answer::error(409, "ContainerGroupTransitioning", &transitioning.to_string())
}

fn put_refused(refused: &PutRefused) -> Answer {
    let (status, code) = match refused {
        PutRefused::Transitioning(transitioning) => return transition(transitioning),
        PutRefused::Immutable { .. } => (400, "InvalidContainerGroupUpdate"),
        PutRefused::OtherLocation { .. } => (409, "InvalidResourceLocation"),
        PutRefused::Quota { .. } => (400, "ContainerGroupQuotaReached"),
    };
    Answer::error(status, code, &refused.to_string())
}
