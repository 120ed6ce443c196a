//! Requests about container groups.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::effect::NextLink;
use super::gateway::OPERATION_API_VERSION;
use super::operation::{Operation, OperationKind, Resource, Verb};
use super::service::{Query, Request, Service};
use crate::container_groups::{
    GroupSpec, LogQuery, LogRefused, PutRefused, Started, Transitioning, is_same_location, parse_patch,
};

/// How many deletes Resource Manager itself still lets through, by its own count.
const DELETES_LEFT: &str = "x-ms-ratelimit-remaining-subscription-deletes";

impl Service {
    pub(super) fn list(&self, resource_group: &str, request: &Request<'_>) -> Answer {
        let token = request.query.get("$skiptoken");
        let after = token.map(|token| URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok()));
        if after == Some(None) {
            return Answer::error(400, "InvalidSkipToken", "The skip token is invalid.");
        }
        let limit = self.config.page_size.min(request.changes.page_limit);
        let (groups, more) = self.groups.list(resource_group, after.flatten().as_deref(), limit);
        let last = groups.last().and_then(|group| group["name"].as_str()).map(str::to_lowercase);
        let token = last.filter(|_| more).map(|last| format!("%24skiptoken={}", URL_SAFE_NO_PAD.encode(last)));
        self.page(groups, token.as_deref(), request)
    }

    /// A page of a list, whose next one is at `next`.
    pub(super) fn page(&self, items: Vec<Value>, next: Option<&str>, request: &Request<'_>) -> Answer {
        let version = request.query.get("api-version").map_or("", String::as_str);
        let link = |query: &str| format!("{}{}?api-version={version}{query}", self.endpoint, request.path);
        let next = next.map(|next| link(&format!("&{next}")));
        let next = match (request.changes.next_link, next) {
            (Some(NextLink::ToItself), _) => Some(format!("{}{}", self.endpoint, request.path_and_query)),
            (Some(NextLink::ToFirstPage), None) => Some(link("")),
            // No name sorts before a control character, so the list begins again.
            (Some(NextLink::Endless), None) => {
                let token = URL_SAFE_NO_PAD.encode(format!("\0{}", Uuid::new_v4()));
                Some(link(&format!("&%24skiptoken={token}")))
            }
            (_, next) => next,
        };
        let items = if request.changes.repeats_items { [items.clone(), items].concat() } else { items };
        let mut page = json!({ "value": items });
        if let Some(next) = next {
            page["nextLink"] = json!(next);
        }
        Answer::json(200, &page)
    }

    pub(super) fn show(&self, resource_group: &str, name: &str) -> Answer {
        self.groups
            .show(resource_group, name)
            .map_or_else(|| group_not_found(resource_group, name), |group| Answer::json(200, &group))
    }

    pub(super) fn put(&self, resource_group: &str, name: &str, request: &Request<'_>) -> Answer {
        let Request { body, changes, .. } = request;
        let pretends = changes.pretends;
        let spec = match GroupSpec::parse(name, body) {
            Ok(spec) => spec,
            Err(invalid) => return self.take_and_mark(Answer::from(&invalid)),
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
        if let Err(exhausted) = rate.admit() {
            return exhausted;
        }
        let put = match pretends {
            Some(_) => Ok(self.groups.pretend_to_put(resource_group, name, spec)),
            None => self.groups.put(resource_group, name, spec, body),
        };
        let answer = match put {
            Err(refused) => put_refused(&refused),
            Ok(put) => Answer::json(pretends.unwrap_or(if put.created { 201 } else { 200 }), &put.group)
                .header("azure-asyncoperation", self.operation_link(location, &put.operation))
                .header("x-ms-ratelimit-remaining-subscription-writes", "199"),
        };
        rate.mark(answer)
    }

    /// The answer to a create or delete that the service refuses, which still counts towards the allowance.
    pub(super) fn take_and_mark(&self, answer: Answer) -> Answer {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.admit().map_or_else(|exhausted| exhausted, |()| rate.mark(answer))
    }

    /// Adds to an answer how much of the allowance is left.
    pub(super) fn mark(&self, answer: Answer) -> Answer {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).mark(answer)
    }

    /// The message in a container group's request.
    pub(super) fn message_of(&self, operation: &Operation, body: &[u8]) -> Option<String> {
        let Operation::Arm { resource, .. } = operation else { return None };
        let (Resource::Group { resource_group, name, .. } | Resource::Logs { resource_group, name, .. }) = resource
        else {
            return None;
        };
        if operation.kind() == OperationKind::PutGroup {
            let body: Value = serde_json::from_slice(body).ok()?;
            return body["tags"]["message_id"].as_str().map(str::to_owned);
        }
        self.groups.message_of(resource_group, name)
    }

    pub(super) fn patch(&self, resource_group: &str, name: &str, request: &Request<'_>) -> Answer {
        let tags = match parse_patch(request.body) {
            Ok(tags) => tags,
            Err(invalid) => return Answer::from(&invalid),
        };
        let patched = match request.changes.pretends {
            Some(_) => self.groups.pretend_to_patch(resource_group, name, &tags),
            None => self.groups.patch(resource_group, name, tags),
        };
        let status = request.changes.pretends.unwrap_or(200);
        patched
            .map_or_else(|| group_not_found(resource_group, name), |group| Answer::json(status, &group))
            .header("x-ms-ratelimit-remaining-subscription-writes", "199")
    }

    pub(super) fn delete(&self, resource_group: &str, name: &str, request: &Request<'_>) -> Answer {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = rate.exhausted() {
            return rate.mark(Answer::too_many_requests(wait));
        }
        let pretends = request.changes.pretends;
        let deleted = match pretends {
            Some(_) => Ok(self.groups.show(resource_group, name)),
            None => self.groups.delete(resource_group, name),
        };
        let answer = match (deleted, pretends) {
            (Ok(None), _) => return rate.mark(Answer::empty(204).header(DELETES_LEFT, "199")),
            (Err(transitioning), _) => transition(&transitioning),
            (Ok(Some(group)), None | Some(200)) => Answer::json(200, &group).header(DELETES_LEFT, "199"),
            (Ok(Some(_)), Some(status)) => Answer::empty(status).header(DELETES_LEFT, "199"),
        };
        rate.take();
        rate.mark(answer)
    }

    pub(super) fn stop(&self, resource_group: &str, name: &str) -> Answer {
        match self.groups.halt(resource_group, name) {
            Err(transitioning) => transition(&transitioning),
            Ok(false) => group_not_found(resource_group, name),
            Ok(true) => Answer::empty(204),
        }
    }

    /// Starts or restarts a group. The contract has 202 for a start, and 204 for a restart and for a group that already runs. It
    /// says that both can be polled, but names no header.
    pub(super) fn start(&self, resource_group: &str, name: &str, verb: Verb) -> Answer {
        let started = match verb {
            Verb::Restart => self.groups.restart(resource_group, name),
            _ => self.groups.start(resource_group, name),
        };
        let status = if verb == Verb::Restart { 204 } else { 202 };
        match started {
            Err(transitioning) => transition(&transitioning),
            Ok(Started::NoGroup) => group_not_found(resource_group, name),
            Ok(Started::Already) => Answer::empty(204),
            Ok(Started::Begun(operation)) => {
                Answer::empty(status).header("azure-asyncoperation", self.operation_link(self.location(), &operation))
            }
        }
    }

    /// Where an operation can be polled.
    fn operation_link(&self, location: &str, operation: &str) -> String {
        format!(
            "{}/subscriptions/{}/providers/Microsoft.ContainerInstance/locations/{location}/operations/{operation}\
             ?api-version={OPERATION_API_VERSION}",
            self.endpoint, self.config.subscription_id
        )
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
