//! A stand-in with a client, and container groups to request from it.

use std::time::Duration;

use local_azure::container_groups::{ContainerGroupsConfig, GroupSnapshot, Phase, Worker};
use local_azure::identity::RESOURCE_MANAGER_AUDIENCE;
use local_azure::resource_manager::{ResourceManager, ResourceManagerConfig};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use test_support::contract;

/// The time-out of everything here. A busy machine needs some of it.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const GROUPS: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-workers/providers/\
                          Microsoft.ContainerInstance/containerGroups";
pub const API: &str = "api-version=2023-05-01";

pub struct Azure {
    pub manager: ResourceManager,
    pub http: Client,
    pub token: String,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Azure {
    pub async fn start() -> Self {
        Self::with(ResourceManagerConfig::default()).await
    }

    pub async fn with_worker(worker: impl Worker + 'static) -> Self {
        Self::with(ResourceManagerConfig { container_groups: config(worker), ..Default::default() }).await
    }

    pub async fn with(config: ResourceManagerConfig) -> Self {
        // Another test may have installed it before.
        _ = rustls::crypto::ring::default_provider().install_default();
        let manager = ResourceManager::start(config).await.unwrap();
        let token = manager.identity().issue(RESOURCE_MANAGER_AUDIENCE, DEADLINE * 100);
        let http = Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        Self { manager, http, token }
    }

    pub async fn send(&self, method: Method, path_and_query: &str, body: Option<&Value>) -> reqwest::Result<Reply> {
        let url = if path_and_query.starts_with("http") {
            path_and_query.to_owned()
        } else {
            format!("{}{path_and_query}", self.manager.endpoint())
        };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await?).await
    }

    pub async fn get(&self, path_and_query: &str) -> Reply {
        self.send(Method::GET, path_and_query, None).await.unwrap()
    }

    pub async fn put(&self, name: &str, body: &Value) -> Reply {
        self.send(Method::PUT, &group_path(name), Some(body)).await.unwrap()
    }

    pub async fn delete(&self, name: &str) -> Reply {
        self.send(Method::DELETE, &group_path(name), None).await.unwrap()
    }

    pub async fn show(&self, name: &str) -> Reply {
        self.get(&group_path(name)).await
    }

    pub async fn logs(&self, name: &str, query: &str) -> Reply {
        self.get(&format!("{GROUPS}/{name}/containers/worker/logs?{API}{query}")).await
    }

    /// Waits until a group is in a phase.
    pub async fn until(&self, name: &str, phase: impl Fn(Phase) -> bool) -> GroupSnapshot {
        let found = |group: &GroupSnapshot| group.name == name && phase(group.phase);
        let groups = self.manager.container_groups().until(DEADLINE, |groups| groups.iter().any(found)).await;
        groups.unwrap().into_iter().find(|group| group.name == name).unwrap()
    }

    pub async fn until_terminated(&self, name: &str) -> GroupSnapshot {
        self.until(name, |phase| matches!(phase, Phase::Terminated { .. })).await
    }

    pub async fn until_running(&self, name: &str) -> GroupSnapshot {
        self.until(name, |phase| matches!(phase, Phase::Running { .. })).await
    }
}

/// Every test follows the contract, whatever it is about.
impl Drop for Azure {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            contract::assert_followed(&self.manager.calls());
        }
    }
}

pub async fn read(response: reqwest::Response) -> reqwest::Result<Reply> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    Ok(Reply { status, headers, body })
}

pub fn config(worker: impl Worker + 'static) -> ContainerGroupsConfig {
    ContainerGroupsConfig { worker: std::sync::Arc::new(worker), ..Default::default() }
}

pub fn group_path(name: &str) -> String {
    format!("{GROUPS}/{name}?{API}")
}

pub fn usages_path() -> String {
    let locations = GROUPS.replace("/resourceGroups/rg-workers", "").replace("containerGroups", "locations");
    format!("{locations}/westeurope/usages?{API}")
}

/// A group as the scaler requests it, with a secret and a registry password.
pub fn group() -> Value {
    json!({
        "location": "westeurope",
        "tags": { "managed_by": "worker", "message_id": "m1" },
        "properties": {
            "osType": "Linux",
            "restartPolicy": "Never",
            "imageRegistryCredentials": [
                { "server": "acr.azurecr.io", "username": "puller", "password": "canary-password" },
            ],
            "containers": [{
                "name": "worker",
                "properties": {
                    "image": "acr.azurecr.io/worker:1.4.2",
                    "environmentVariables": [
                        { "name": "QUEUE", "value": "jobs" },
                        { "name": "API_TOKEN", "secureValue": "canary-secret" },
                    ],
                    "resources": { "requests": { "memoryInGB": 1.5, "cpu": 1 } },
                },
            }],
        },
    })
}

/// The same with one thing changed.
pub fn group_with(pointer: &str, value: Value) -> Value {
    let mut group = group();
    *group.pointer_mut(pointer).unwrap() = value;
    group
}

/// The same with one thing missing.
pub fn group_without(parent: &str, key: &str) -> Value {
    let mut group = group();
    group.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    group
}

/// A recorded answer: its status, headers and body.
pub fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/data/aci/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
