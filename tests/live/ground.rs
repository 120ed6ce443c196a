//! The Azure under test: Resource Manager and a namespace, local or of an account.

use std::sync::Arc;
use std::time::Duration;

use aci_scaler::azure::credential::{AccessToken, CredentialError};
use aci_scaler::azure::service_bus::{EntraTokens, PEEK_TIMEOUT, ServiceBus};
use aci_scaler::clock::Clock;
use aci_scaler::settings::{ServiceBusAuth, ServiceBusSettings, Settings};
use local_azure::container_groups::{ContainerGroupsConfig, Exit, Job};
use local_azure::identity::RESOURCE_MANAGER_AUDIENCE;
use local_azure::local::{LocalAzure, LocalAzureConfig, RESOURCE_GROUP, SUBSCRIPTION_ID};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use test_support::peer::signature;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How long the slowest operation on a real one may take.
const PATIENCE: Duration = Duration::from_mins(6);
const CONTAINER_GROUPS: &str = "2023-05-01";
const SERVICE_BUS: &str = "2021-11-01";

/// An Azure to test.
pub struct Ground {
    pub endpoint: String,
    pub token: SecretString,
    pub subscription_id: String,
    pub resource_group: String,
    pub location: String,
    pub image: String,
    /// The pause between two polls.
    pub interval: Duration,
    pub service_bus: ServiceBusSettings,
    /// The endpoint for administration over HTTP.
    pub administration: String,
    pub http: Client,
    /// Keeps the local one running.
    pub _local: Option<LocalAzure>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub took: Duration,
}

impl Reply {
    /// The status, and the code if it is an error.
    pub fn code(&self) -> String {
        match self.body["error"]["code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

impl Ground {
    /// A local Azure whose containers do what their environment says.
    pub async fn local() -> Self {
        let mut config = LocalAzureConfig::default();
        config.resource_manager.container_groups = ContainerGroupsConfig {
            worker: Arc::new(work),
            pending: Duration::from_millis(200),
            pulling: Duration::from_millis(200),
            ..ContainerGroupsConfig::default()
        };
        let azure = LocalAzure::start(config).await.expect("free ports");
        let settings =
            Settings::from_environment(&azure.scaler_environment()).unwrap_or_else(|errors| panic!("{errors}"));
        let token = azure.resource_manager.identity().issue(RESOURCE_MANAGER_AUDIENCE, Duration::from_hours(1));
        Self {
            endpoint: azure.resource_manager.endpoint().to_owned(),
            token: token.into(),
            subscription_id: SUBSCRIPTION_ID.to_owned(),
            resource_group: RESOURCE_GROUP.to_owned(),
            location: "westeurope".to_owned(),
            image: "local/worker:latest".to_owned(),
            interval: Duration::from_millis(20),
            administration: format!("http://127.0.0.1:{}", azure.service_bus.port()),
            service_bus: settings.service_bus,
            http: Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client"),
            _local: Some(azure),
        }
    }

    /// A name that was never used.
    pub fn name(what: &str) -> String {
        format!("{what}-{}", &Uuid::new_v4().simple().to_string()[..12])
    }

    /// A request about a container group.
    pub async fn group(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, String> {
        let path = format!("Microsoft.ContainerInstance/containerGroups/{path}");
        self.provider(method, &path, CONTAINER_GROUPS, body).await
    }

    /// What Resource Manager shows of the namespace.
    pub async fn topic(&self, path: &str) -> Result<Reply, String> {
        let ServiceBusSettings { namespace, topic, .. } = &self.service_bus;
        let path = format!("Microsoft.ServiceBus/namespaces/{namespace}/topics/{topic}{path}");
        self.provider(Method::GET, &path, SERVICE_BUS, None).await
    }

    async fn provider(&self, method: Method, path: &str, version: &str, body: Option<&Value>) -> Result<Reply, String> {
        let Self { endpoint, subscription_id, resource_group, .. } = self;
        let url = format!(
            "{endpoint}/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/{path}?api-version={version}"
        );
        let mut request = self.http.request(method, url).bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let begun = Instant::now();
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.map_err(|error| error.to_string())?;
        Ok(Reply { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), took: begun.elapsed() })
    }

    /// A group whose container prints `hello`, waits and exits.
    pub fn body(&self, seconds: u32, exit: i32) -> Value {
        json!({
            "location": self.location,
            "tags": { "Managed_By": "live" },
            "properties": { "osType": "Linux", "restartPolicy": "Never", "containers": [{
                "name": "worker",
                "properties": {
                    "image": self.image,
                    "command": ["/bin/sh", "-c", "echo hello; sleep $SECONDS_TO_WAIT; exit $EXIT_CODE"],
                    "environmentVariables": [
                        { "name": "SECONDS_TO_WAIT", "value": seconds.to_string() },
                        { "name": "EXIT_CODE", "value": exit.to_string() },
                        { "name": "SECRET", "secureValue": "canary" },
                    ],
                    "resources": { "requests": { "memoryInGB": 1, "cpu": 1 } },
                },
            }] },
        })
    }

    /// Requests a group that must be accepted.
    pub async fn create(&self, name: &str, body: &Value) -> Result<Reply, String> {
        let reply = self.group(Method::PUT, name, Some(body)).await?;
        if reply.status < 300 { Ok(reply) } else { Err(format!("the PUT was answered with {}", reply.code())) }
    }

    /// Waits until a group meets `condition`.
    pub async fn until(&self, name: &str, condition: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.group(Method::GET, name, None).await?;
            if condition(&reply.body) {
                return Ok(reply.body);
            }
            if Instant::now() > deadline {
                return Err(format!("it did not come about: {}", reply.body["properties"]));
            }
            sleep(self.interval).await;
        }
    }

    /// Deletes a group, as soon as its state allows that.
    pub async fn delete(&self, name: &str) -> Result<Reply, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.group(Method::DELETE, name, None).await?;
            if reply.status != 409 || Instant::now() > deadline {
                return Ok(reply);
            }
            sleep(self.interval).await;
        }
    }

    /// Creates or reads an entity of the namespace: `topic` or `topic/Subscriptions/name`.
    pub async fn administer(&self, method: Method, path: &str, description: &str) -> Result<Reply, String> {
        let entry = "http://www.w3.org/2005/Atom";
        let body = match description {
            "" => String::new(),
            description => {
                format!(r#"<entry xmlns="{entry}"><content type="application/xml">{description}</content></entry>"#)
            }
        };
        let url = format!("{}/{path}?api-version=2021-05", self.administration);
        let request = self.http.request(method, url).header("Authorization", self.signature("")?);
        let request = request.header("Content-Type", "application/atom+xml").body(body);
        let begun = Instant::now();
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.map_err(|error| error.to_string())?;
        Ok(Reply { status, headers, body: Value::String(text), took: begun.elapsed() })
    }

    /// A token for the namespace, or for an entity in it.
    pub fn signature(&self, path: &str) -> Result<String, String> {
        let ServiceBusAuth::SharedAccessKey { name, key } = &self.service_bus.auth else {
            return Err("there is no key".to_owned());
        };
        let ServiceBusSettings { host, port, tls, .. } = &self.service_bus;
        let host = if *tls { host.clone() } else { format!("{host}:{port}") };
        let until = Clock::system().now() + Duration::from_hours(1);
        Ok(signature(&format!("sb://{host}/{path}"), name, key.expose_secret(), until))
    }

    /// The scaler's own client for a topic, with the given token or else with the key.
    pub fn peeking(&self, topic: &str, token: Option<String>) -> ServiceBus {
        let auth = token
            .map_or_else(|| self.service_bus.auth.clone(), |token| ServiceBusAuth::SharedAccessSignature(token.into()));
        let settings = ServiceBusSettings { topic: topic.to_owned(), auth, ..self.service_bus.clone() };
        ServiceBus::new(&settings, Arc::new(Nobody), Clock::system(), PEEK_TIMEOUT)
    }

    /// A connection string for senders.
    pub fn connection_string(&self) -> Result<String, String> {
        let ServiceBusSettings { host, port, tls, auth, .. } = &self.service_bus;
        let ServiceBusAuth::SharedAccessKey { name, key } = auth else { return Err("there is no key".to_owned()) };
        let address = if *tls { host.clone() } else { format!("{host}:{port}") };
        let emulator = if *tls { "" } else { ";UseDevelopmentEmulator=true" };
        let key = key.expose_secret();
        Ok(format!("Endpoint=sb://{address}/;SharedAccessKeyName={name};SharedAccessKey={key}{emulator}"))
    }
}

/// What the image of [`Ground::body`] does.
async fn work(job: Job) -> Exit {
    let number = |name: &str| job.environment.get(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    job.log.line("hello");
    sleep(Duration::from_secs(number("SECONDS_TO_WAIT"))).await;
    Exit::Code(i32::try_from(number("EXIT_CODE")).unwrap_or(1))
}

/// The key opens the namespace, so no token is needed.
#[derive(Debug)]
struct Nobody;

#[async_trait::async_trait]
impl EntraTokens for Nobody {
    async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError> {
        Err(CredentialError { scope: scope.to_owned(), kind: "none", reason: "a key is used".into() })
    }

    async fn another(&self, _: &str, _: &SecretString) -> Option<AccessToken> {
        None
    }
}
