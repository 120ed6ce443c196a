//! Which resource the path of a request names.

use axum::http::Method;

use super::operation::{Resource, Verb};

/// The resource, given the path's segments in lower case and as received.
pub(super) fn resource(method: &Method, lower: &[&str], segments: &[String]) -> Option<Resource> {
    const ACI: &str = "microsoft.containerinstance";
    const IDENTITY: &str = "microsoft.managedidentity";
    const SERVICE_BUS: &str = "microsoft.servicebus";
    let segment = |n: usize| segments[n].clone();
    let get = method == Method::GET;
    if get && lower == ["subscriptions"] {
        return Some(Resource::Subscriptions);
    }
    let ["subscriptions", _, rest @ ..] = lower else { return None };
    Some(match rest {
        ["resourcegroups", _, "providers", ACI, "containergroups"] if get => {
            Resource::Groups { resource_group: segment(3) }
        }
        ["resourcegroups", _, "providers", ACI, "containergroups", _] => {
            Resource::Group { resource_group: segment(3), name: segment(7), verb: verb(method)? }
        }
        ["resourcegroups", _, "providers", ACI, "containergroups", _, verb] if method == Method::POST => {
            let verb = match *verb {
                "stop" => Verb::Stop,
                "start" => Verb::Start,
                "restart" => Verb::Restart,
                _ => return None,
            };
            Resource::Group { resource_group: segment(3), name: segment(7), verb }
        }
        ["resourcegroups", _, "providers", ACI, "containergroups", _, "containers", _, "logs"] if get => {
            Resource::Logs { resource_group: segment(3), name: segment(7), container: segment(9) }
        }
        ["resourcegroups", _, "providers", IDENTITY, "userassignedidentities", _] if get => {
            Resource::Identity { resource_group: segment(3), name: segment(7) }
        }
        ["resourcegroups", _, "providers", SERVICE_BUS, "namespaces", _, "topics", _] if get => {
            Resource::Topic { resource_group: segment(3), namespace: segment(7), topic: topic(&segments[9])? }
        }
        ["resourcegroups", _, "providers", SERVICE_BUS, "namespaces", _, "topics", _, "subscriptions"] if get => {
            Resource::TopicSubscriptions {
                resource_group: segment(3),
                namespace: segment(7),
                topic: topic(&segments[9])?,
            }
        }
        ["resourcegroups", _, "providers", SERVICE_BUS, "namespaces", _, "topics", _, "subscriptions", _] if get => {
            Resource::TopicSubscription {
                resource_group: segment(3),
                namespace: segment(7),
                topic: topic(&segments[9])?,
                name: segment(11),
            }
        }
        ["providers", ACI, "locations", _, "usages"] if get => Resource::Usages { location: segment(5) },
        ["providers", ACI, "locations", _, "capabilities"] if get => Resource::Capabilities { location: segment(5) },
        // Of a resource group, and of whatever is in it.
        [.., "providers", "microsoft.authorization", "permissions"] if get => Resource::Permissions,
        ["resourcegroups", _, "providers", "microsoft.web", "sites", _, "config", "appsettings", "list"]
            if method == Method::POST =>
        {
            Resource::AppSettings { resource_group: segment(3), app: segment(7) }
        }
        ["providers", ACI, "locations", _, "operations", _] if get => Resource::AsyncOperation { id: segment(7) },
        _ => return None,
    })
}

/// The topic that a segment of a path names: with `~` for each `/` in its name, which an escape cannot stand for
/// (azure-rest-api-specs#1082).
fn topic(segment: &str) -> Option<String> {
    (!segment.contains('/')).then(|| segment.replace('~', "/"))
}

fn verb(method: &Method) -> Option<Verb> {
    Some(match *method {
        Method::GET => Verb::Get,
        Method::PUT => Verb::Put,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        _ => return None,
    })
}
