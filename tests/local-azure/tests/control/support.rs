//! A local Azure and its control API.

use std::sync::Arc;
use std::time::Duration;

use local_azure::container_groups::{ContainerGroupsConfig, GroupSnapshot, Worker};
use local_azure::identity::RESOURCE_MANAGER_AUDIENCE;
use local_azure::local::{LocalAzure, LocalAzureConfig};
use local_azure::sample;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// The time-out of everything here. A busy machine needs some of it.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const GROUPS: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/local/providers/\
                          Microsoft.ContainerInstance/containerGroups";

pub struct Controlled {
    pub azure: LocalAzure,
    pub http: Client,
}

impl Controlled {
    /// Has the sample's subscriptions and this worker.
    pub async fn start(worker: impl Worker + 'static) -> Self {
        // Another test may have installed it before.
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = LocalAzureConfig::default();
        config.resource_manager.container_groups =
            ContainerGroupsConfig { worker: Arc::new(worker), ..ContainerGroupsConfig::default() };
        let azure = LocalAzure::start(config).await.unwrap();
        sample::create_subscriptions(&azure.service_bus).unwrap();
        Self { azure, http: Client::builder().no_proxy().timeout(DEADLINE).build().unwrap() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.azure.resource_manager.endpoint())
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method, self.url(path));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    /// A request to Resource Manager itself.
    pub async fn arm(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Response> {
        let token = self.azure.resource_manager.identity().issue(RESOURCE_MANAGER_AUDIENCE, DEADLINE * 10);
        let url = self.url(&format!("{path}?api-version=2023-05-01"));
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await
    }

    /// What Resource Manager shows of Service Bus.
    pub async fn service_bus_arm(&self, path: &str) -> Value {
        let token = self.azure.resource_manager.identity().issue(RESOURCE_MANAGER_AUDIENCE, DEADLINE * 10);
        let request = self.http.get(self.url(&format!("{path}?api-version=2021-11-01"))).bearer_auth(token);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// Creates a group of 0.5 GB with this environment, and waits until it meets `condition`.
    pub async fn group(&self, name: &str, environment: &Value, condition: fn(&GroupSnapshot) -> bool) -> GroupSnapshot {
        let body = json!({
            "location": "westeurope",
            "tags": { "subscription_name": "1-50MB", "message_id": format!("of-{name}"), "file_size_mb": "8" },
            "properties": { "osType": "Linux", "restartPolicy": "Never", "containers": [{
                "name": "worker",
                "properties": {
                    "image": "local/worker:latest",
                    "environmentVariables": environment,
                    "resources": { "requests": { "memoryInGB": 0.5, "cpu": 1 } },
                },
            }] },
        });
        let created = self.arm(Method::PUT, &format!("{GROUPS}/{name}"), Some(&body)).await.unwrap();
        assert_eq!(created.status(), 201);
        self.until(name, condition).await
    }

    /// Waits until a group meets `condition`. It polls, because new lines of a log are not announced.
    async fn until(&self, name: &str, condition: fn(&GroupSnapshot) -> bool) -> GroupSnapshot {
        let groups = self.azure.resource_manager.container_groups();
        let found = async {
            loop {
                match groups.group(name).filter(condition) {
                    Some(group) => return group,
                    None => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("{:#?}", groups.groups()))
    }
}
