//! Refused requests, and the answers to them.

use local_azure::container_groups::{ContainerGroupsConfig, Exit, ExitsWhenTold};
use local_azure::resource_manager::{RateLimit, ResourceManagerConfig};
use serde_json::{Value, json};

use crate::support::{API, Azure, GROUPS, config, group, group_path, group_with, group_without};

const CONTAINER: &str = "/properties/containers/0/properties";
const REQUESTS: &str = "/properties/containers/0/properties/resources/requests";

#[tokio::test]
async fn a_group_that_makes_no_sense_is_refused_with_the_service_s_code() {
    let azure = Azure::start().await;
    let credentials = "/properties/imageRegistryCredentials/0";
    let both = json!({ "server": "acr.azurecr.io", "username": "u", "password": "p", "identity": "/id" });
    let stranger = json!({ "server": "acr.azurecr.io", "identity": "/id" });
    let limited = |memory: f64| {
        let amounts = json!({ "memoryInGB": 1.5, "cpu": 1 });
        json!({ "requests": amounts, "limits": { "memoryInGB": memory, "cpu": 1 } })
    };
    let variables = format!("{CONTAINER}/environmentVariables");
    let resources = format!("{CONTAINER}/resources");
    let cases = [
        (json!([]), "InvalidRequestContent"),
        (group_without("", "location"), "LocationRequired"),
        (group_with("/location", json!("mars")), "LocationNotAvailableForResourceType"),
        (group_with("/tags", json!({ "a": 1 })), "InvalidRequestContent"),
        (group_with("/tags", json!({ "a/b": "" })), "InvalidTagNameCharacters"),
        (group_with("/tags", json!({ "a": "x".repeat(257) })), "InvalidTagValueLength"),
        (group_without("/properties", "osType"), "InvalidOsType"),
        (group_with("/properties/osType", json!("Plan9")), "InvalidOsType"),
        (group_with("/properties/restartPolicy", json!("Sometimes")), "InvalidRequestContent"),
        (group_with("/properties/containers", json!([])), "MissingContainers"),
        (group_with("/properties/containers/0/name", json!("Worker")), "InvalidContainerName"),
        (group_without(CONTAINER, "image"), "MissingImage"),
        (group_without(CONTAINER, "resources"), "ResourceRequestsNotSpecified"),
        (group_without(REQUESTS, "memoryInGB"), "ResourceSomeRequestsNotSpecified"),
        (group_without(REQUESTS, "cpu"), "ResourceSomeRequestsNotSpecified"),
        (group_with(&format!("{REQUESTS}/memoryInGB"), json!(1.55)), "InvalidMemoryRequirement"),
        (group_with(&format!("{REQUESTS}/memoryInGB"), json!(0.1 + 0.2)), "InvalidMemoryRequirement"),
        (group_with(&format!("{REQUESTS}/memoryInGB"), json!(0)), "InvalidMemoryRequirement"),
        (group_with(&format!("{REQUESTS}/cpu"), json!(0.005)), "InvalidCpuRequirement"),
        (group_with(&resources, limited(1.4)), "ResourceLimitsLessThanRequests"),
        (group_with(&resources, limited(1.6)), "ContainerLimitGreaterThanContainerGroupTotalRequest"),
        (group_with(&variables, json!([{ "name": "A-B", "value": "" }])), "InvalidEnvironmentVariableName"),
        (group_with(&variables, json!([{ "value": "" }])), "InvalidRequestContent"),
        (group_without(credentials, "server"), "InvalidRequestContent"),
        (group_without(credentials, "username"), "AmbiguousImageResitryCredentialType"),
        (group_with(credentials, both), "AmbiguousImageResitryCredentialType"),
        (group_with(credentials, stranger), "InvalidImageRegistryIdentity"),
    ];
    for (body, code) in cases {
        let reply = azure.put("w-1", &body).await;
        assert_eq!(reply.code(), (400, code), "{body}");
        assert!(!reply.body["error"]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(azure.manager.container_groups().groups(), []);
}

#[tokio::test]
async fn memory_in_tenths_is_accepted_to_the_tenth() {
    let azure = Azure::start().await;
    for (n, memory) in [0.1, 0.3, 0.7, 1.1, 2.3, 16.9, 239.9, 240.0].into_iter().enumerate() {
        let reply = azure.put(&format!("w-{n}"), &group_with(&format!("{REQUESTS}/memoryInGB"), json!(memory))).await;
        assert_eq!(reply.status, 201, "{memory}: {}", reply.body);
    }
}

#[tokio::test]
async fn more_than_any_region_has_is_a_409() {
    let azure = Azure::start().await;
    for requests in [json!({ "memoryInGB": 240.1, "cpu": 1 }), json!({ "memoryInGB": 1, "cpu": 32 })] {
        assert_eq!(azure.put("w-1", &group_with(REQUESTS, requests)).await.code(), (409, "ServiceUnavailable"));
    }
}

#[tokio::test]
async fn names_are_lower_case_with_single_hyphens_inside() {
    let azure = Azure::start().await;
    for name in ["W-1", "-a", "a-", "a--b", "a_b", &"a".repeat(64)] {
        assert_eq!(azure.put(name, &group()).await.code(), (400, "InvalidContainerGroupName"), "{name}");
    }
    for name in ["a", "0", "a-b-c", &"a".repeat(63)] {
        assert_eq!(azure.put(name, &group()).await.status, 201, "{name}");
    }
}

#[tokio::test]
async fn an_address_needs_ports_and_spot_has_none() {
    let azure = Azure::start().await;
    let with = |key: &str, value: Value| {
        let mut group = group();
        group["properties"][key] = value;
        group
    };
    let reply = azure.put("w-1", &with("ipAddress", json!({ "type": "Public" }))).await;
    assert_eq!(reply.code(), (400, "MissingIpAddressPorts"));
    let mut spot = with("subnetIds", json!([{ "id": "/subnet" }]));
    spot["properties"]["priority"] = json!("Spot");
    let code = "SpotPriorityContainerGroupNotSupportedForInboundConnectivity";
    assert_eq!(azure.put("w-1", &spot).await.code(), (400, code));
}

#[tokio::test]
async fn the_api_version_must_be_there_and_known() {
    let azure = Azure::start().await;
    assert_eq!(azure.get(GROUPS).await.code(), (400, "MissingApiVersionParameter"));
    assert_eq!(azure.get(&format!("{GROUPS}?api-version=")).await.code(), (400, "MissingApiVersionParameter"));
    let unknown = azure.get(&format!("{GROUPS}?api-version=2099-01-01")).await;
    assert_eq!(unknown.code(), (400, "NoRegisteredProviderFound"));
    assert_eq!(azure.get(&format!("{GROUPS}?api-version=2024-05-01-preview")).await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_a_404_of_its_own() {
    let azure = Azure::start().await;
    let elsewhere = GROUPS.replace("rg-workers", "rg-other");
    assert_eq!(azure.get(&format!("{elsewhere}?{API}")).await.code(), (404, "ResourceGroupNotFound"));
    let other = GROUPS.replace("11111111", "99999999");
    assert_eq!(azure.get(&format!("{other}?{API}")).await.code(), (404, "SubscriptionNotFound"));
    assert_eq!(azure.show("w-9999").await.code(), (404, "ResourceNotFound"));
    assert_eq!(azure.get(&format!("/nothing?{API}")).await.code(), (404, "InvalidResourceType"));
}

#[tokio::test]
async fn quotas_stop_new_groups_and_not_existing_ones() {
    let waiting = ExitsWhenTold::new(Exit::Code(0));
    for limits in [
        ContainerGroupsConfig { max_groups: 1, ..config(waiting.clone()) },
        ContainerGroupsConfig { max_cores: 1, ..config(waiting.clone()) },
    ] {
        let azure = Azure::with(ResourceManagerConfig { container_groups: limits, ..Default::default() }).await;
        azure.put("w-1", &group()).await;
        azure.until_running("w-1").await;
        let refused = azure.put("w-2", &group()).await;
        assert_eq!(refused.code(), (400, "ContainerGroupQuotaReached"));
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("Limit: '1', Usage: '1' Requested: '1'"), "{message}");
        assert_eq!(azure.put("w-1", &group()).await.status, 200);
        azure.delete("w-1").await;
        assert_eq!(azure.put("w-2", &group()).await.status, 201);
    }
}

#[tokio::test]
async fn creates_and_deletes_draw_from_the_same_limit() {
    let rate_limit = RateLimit { per_5_minutes: 3, per_hour: 10 };
    let azure = Azure::with(ResourceManagerConfig { rate_limit, ..Default::default() }).await;
    let left = |reply: &crate::support::Reply, window: &str| {
        reply.header(&format!("x-ms-ratelimit-remaining-subscription-resource-requests-{window}")).to_owned()
    };
    let put = azure.put("w-1", &group()).await;
    assert_eq!((left(&put, "pt5m").as_str(), left(&put, "pt1h").as_str()), ("2", "9"));
    azure.until_terminated("w-1").await;
    assert_eq!(left(&azure.delete("w-1").await, "pt5m"), "1");
    azure.put("w-2", &group()).await;
    azure.until_terminated("w-2").await;
    for refused in [azure.put("w-3", &group()).await, azure.delete("w-2").await] {
        assert_eq!(refused.code(), (429, "TooManyRequests"));
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=300).contains(&wait), "{wait}");
        assert_eq!(left(&refused, "pt5m"), "0");
    }
    assert_eq!(azure.get(&group_path("w-2")).await.status, 200);
}
