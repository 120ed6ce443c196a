//! A local Azure whose container groups run on an engine, and an image for them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use local_azure::container_groups::{ContainerGroupsConfig, GroupSnapshot};
use local_azure::engine::{DockerEngine, EngineConfig, Network};
use local_azure::identity::RESOURCE_MANAGER_AUDIENCE;
use local_azure::local::{LocalAzure, LocalAzureConfig};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// The time-out of everything here. An engine on a busy machine needs some of it.
pub const DEADLINE: Duration = Duration::from_mins(2);
/// An image with a shell.
pub const SHELL: &str = "aci-scaler-tests/shell:1";
const GROUPS: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/local/providers/\
                      Microsoft.ContainerInstance/containerGroups";
const BUSYBOX: &str = "/bin/busybox";

/// The engine with the shell's image. Nothing if there is no engine, which is printed.
pub async fn engine(network: Option<Network>) -> Option<DockerEngine> {
    let required = variable("ACI_SCALER_ENGINE").is_some_and(|value| value == "required");
    let engine = match DockerEngine::connect(EngineConfig { network }, variable).await {
        Ok(engine) => engine,
        Err(error) if required => panic!("{error}"),
        Err(error) => return skipped(&error.to_string()),
    };
    let Ok(busybox) = std::fs::read(BUSYBOX) else {
        assert!(!required, "there is no {BUSYBOX}");
        return skipped(&format!("there is no {BUSYBOX}: install busybox-static"));
    };
    engine.import(SHELL, &[("/bin/sh", &busybox), ("/bin/busybox", &busybox)], &["/bin/sh"]).await.unwrap();
    Some(engine)
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped<T>(why: &str) -> Option<T> {
    eprintln!("skipped, for lack of a container engine: {why}");
    None
}

/// A local Azure whose groups run on it.
pub struct OnEngine {
    pub azure: LocalAzure,
    pub engine: DockerEngine,
    http: Client,
}

impl OnEngine {
    pub async fn start(network: Option<Network>) -> Option<Self> {
        Some(Self::on(engine(network).await?).await)
    }

    pub async fn on(engine: DockerEngine) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = LocalAzureConfig::default();
        config.resource_manager.container_groups =
            ContainerGroupsConfig { engine: Some(Arc::new(engine.clone())), ..ContainerGroupsConfig::default() };
        let azure = LocalAzure::start(config).await.unwrap();
        engine.reach(azure.ports());
        Self { azure, engine, http: Client::builder().no_proxy().timeout(DEADLINE).build().unwrap() }
    }

    /// Requests a group with these properties in addition to the usual ones.
    pub async fn put(&self, name: &str, properties: Value) {
        let mut all = json!({ "osType": "Linux", "restartPolicy": "Never" });
        all.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
        let body = json!({ "location": "westeurope", "tags": {}, "properties": all });
        let (status, answer) = self.arm(Method::PUT, name, Some(&body)).await;
        assert_eq!(status, 201, "{answer}");
    }

    pub async fn delete(&self, name: &str) {
        let (status, answer) = self.arm(Method::DELETE, name, None).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The log of a container, as Resource Manager answers.
    pub async fn log(&self, name: &str, container: &str) -> String {
        let (status, answer) = self.arm(Method::GET, &format!("{name}/containers/{container}/logs"), None).await;
        assert_eq!(status, 200, "{answer}");
        answer["content"].as_str().unwrap_or_default().to_owned()
    }

    /// Runs a group to its end.
    pub async fn run(&self, name: &str, properties: Value) -> Value {
        self.put(name, properties).await;
        self.until(name, |group| group.phase.is_over()).await
    }

    /// Waits until a group meets `condition`, and returns it as a GET shows it.
    pub async fn until(&self, name: &str, condition: impl Fn(&GroupSnapshot) -> bool) -> Value {
        let groups = self.azure.resource_manager.container_groups();
        let found = async {
            loop {
                match groups.group(name).filter(&condition) {
                    Some(group) => return group.json,
                    None => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("{:#?}", groups.groups()))
    }

    async fn arm(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let token = self.azure.resource_manager.identity().issue(RESOURCE_MANAGER_AUDIENCE, DEADLINE * 10);
        let url = format!("{}{GROUPS}/{path}?api-version=2023-05-01", self.azure.resource_manager.endpoint());
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }
}

/// A container that runs a script, with 0.5 GB.
pub fn shell(name: &str, script: &str) -> Value {
    json!({ "name": name, "properties": {
        "image": SHELL,
        "command": ["/bin/sh", "-c", script],
        "resources": { "requests": { "memoryInGB": 0.5, "cpu": 1 } },
    } })
}

/// The state that a container shows.
pub fn state(group: &Value, container: usize) -> Value {
    group["properties"]["containers"][container]["properties"]["instanceView"]["currentState"].clone()
}

/// The events of a container, each as its name and its message.
pub fn events(group: &Value, container: usize) -> Vec<String> {
    let events = &group["properties"]["containers"][container]["properties"]["instanceView"]["events"];
    let text = |event: &Value| format!("{}: {}", event["name"].as_str().unwrap(), event["message"].as_str().unwrap());
    events.as_array().unwrap().iter().map(text).collect()
}

/// A program and the libraries that it is linked with.
pub fn with_libraries(program: &Path) -> Vec<PathBuf> {
    let linked = Command::new("ldd").arg(program).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    let libraries = linked.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    [program.to_owned()].into_iter().chain(libraries).collect()
}
