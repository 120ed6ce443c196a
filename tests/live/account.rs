//! A real account: its costs, its resources and their removal.

use std::time::Duration;

use aci_scaler::settings::{Environment, ServiceBusAuth, ServiceBusSettings};
use reqwest::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::assumption::PATIENCE;
use crate::ground::Ground;

const RESOURCE_MANAGER: &str = "https://management.azure.com";
const GROUPS: &str = "2021-04-01";
const SERVICE_BUS: &str = "2021-11-01";
/// Public, small, and with a shell.
const IMAGE: &str = "mcr.microsoft.com/azurelinux/busybox:1.36";
/// The tag of this suite's resource groups. Its value is the time after which a group counts as left behind.
const MARK: &str = "aci-scaler-live-until";
/// How long a run may take at most.
pub const LONGEST: Duration = Duration::from_mins(45);
/// Prices in dollars, rounded up: a vCPU and a GB for a second, an hour of a Standard namespace, a million operations.
const PRICES: [f64; 4] = [0.000_02, 0.000_003, 0.02, 1.0];
/// An account that may be used.
pub struct Account {
    subscription_id: String,
    location: String,
    token: SecretString,
    resource_group: String,
    http: Client,
}

impl Account {
    /// The account that the environment names, if it names one.
    pub fn from_environment(environment: &impl Environment) -> Result<Option<Self>, String> {
        let names = ["ACI_SCALER_LIVE_SUBSCRIPTION_ID", "ACI_SCALER_LIVE_LOCATION", "ACI_SCALER_LIVE_TOKEN"];
        let values = names.map(|name| environment.get(name).filter(|value| !value.is_empty()));
        match values {
            [None, None, None] => Ok(None),
            [Some(subscription_id), Some(location), Some(token)] => Ok(Some(Self {
                subscription_id,
                location,
                token: token.into(),
                resource_group: Ground::name("aci-scaler-live"),
                http: Client::builder().timeout(Duration::from_mins(2)).build().map_err(|error| error.to_string())?,
            })),
            _ => Err(format!("to ask a real account all of {} are needed", names.join(", "))),
        }
    }

    /// What the run will do, and the most it can cost.
    pub fn announcement(&self) -> String {
        format!(
            "A real account is asked: subscription {}, region {}, resource group {}.\n\
             It costs at most {:.2} $: it ends within {} min, and has a Standard namespace and a few container groups meanwhile.\n\
             Should this process be killed: az group delete --yes --name {}\n",
            self.subscription_id,
            self.location,
            self.resource_group,
            bound(),
            LONGEST.as_secs() / 60,
            self.resource_group,
        )
    }

    /// Deletes what killed runs have left behind.
    pub async fn sweep(&self) -> Result<(), String> {
        let (_, list) = self.ask(Method::GET, "", GROUPS, None).await?;
        for group in list["value"].as_array().into_iter().flatten() {
            let until = group["tags"][MARK].as_str().and_then(|text| text.parse().ok());
            if until.is_some_and(|until: i64| until < now().unix_timestamp()) {
                let name = group["name"].as_str().unwrap_or_default();
                println!("resource group {name}, which an earlier run has left, is deleted");
                self.ask(Method::DELETE, &format!("/{name}"), GROUPS, None).await?;
            }
        }
        Ok(())
    }

    /// Creates the resource group, a namespace and a topic.
    pub async fn set_up(&self) -> Result<Ground, String> {
        let until = (now() + 2 * LONGEST).unix_timestamp().to_string();
        let group = json!({ "location": self.location, "tags": { MARK: until } });
        self.ask(Method::PUT, &format!("/{}", self.resource_group), GROUPS, Some(&group)).await?;
        let namespace = Ground::name("aci-scaler-live");
        let path = format!("/{}/providers/Microsoft.ServiceBus/namespaces/{namespace}", self.resource_group);
        let body = json!({ "location": self.location, "sku": { "name": "Standard", "tier": "Standard" } });
        self.ask(Method::PUT, &path, SERVICE_BUS, Some(&body)).await?;
        self.until_succeeded(&path).await?;
        self.ask(Method::PUT, &format!("{path}/topics/files"), SERVICE_BUS, Some(&json!({ "properties": {} }))).await?;
        let policy = format!("{path}/AuthorizationRules/RootManageSharedAccessKey/listKeys");
        let (_, keys) = self.ask(Method::POST, &policy, SERVICE_BUS, None).await?;
        let key = keys["primaryKey"].as_str().ok_or("the namespace shows no key")?;
        let host = format!("{namespace}.servicebus.windows.net");
        Ok(Ground {
            endpoint: RESOURCE_MANAGER.to_owned(),
            token: self.token.clone(),
            subscription_id: self.subscription_id.clone(),
            resource_group: self.resource_group.clone(),
            location: self.location.clone(),
            image: IMAGE.to_owned(),
            interval: Duration::from_secs(3),
            administration: format!("https://{host}"),
            service_bus: ServiceBusSettings {
                host,
                port: 5671,
                tls: true,
                auth: ServiceBusAuth::SharedAccessKey { name: "RootManageSharedAccessKey".to_owned(), key: key.into() },
                namespace,
                topic: "files".to_owned(),
                resource_group: self.resource_group.clone(),
            },
            http: self.http.clone(),
            _local: None,
        })
    }

    /// Starts to delete the resource group with everything in it. Azure completes that by itself.
    pub async fn take_down(&self) -> Result<(), String> {
        let deleted = self.ask(Method::DELETE, &format!("/{}", self.resource_group), GROUPS, None).await;
        println!("resource group {} is deleted", self.resource_group);
        deleted.map(drop)
    }

    async fn until_succeeded(&self, path: &str) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_mins(10);
        while Instant::now() < deadline {
            let (_, body) = self.ask(Method::GET, path, SERVICE_BUS, None).await?;
            if body["properties"]["provisioningState"] == "Succeeded" {
                return Ok(());
            }
            sleep(Duration::from_secs(5)).await;
        }
        Err("the namespace was not made within ten minutes".to_owned())
    }

    /// A request about the subscription's resource groups. Any answer but a success is an error.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        version: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), String> {
        let url = format!(
            "{RESOURCE_MANAGER}/subscriptions/{}/resourceGroups{path}?api-version={version}",
            self.subscription_id
        );
        let mut request = self.http.request(method, url).bearer_auth(self.token.expose_secret());
        request = match body {
            Some(body) => request.json(body),
            None => request.header("Content-Length", "0"),
        };
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{path} was answered with {status}: {text}"));
        }
        Ok((status.as_u16(), serde_json::from_str(&text).unwrap_or_default()))
    }
}

/// The most that a run can cost, in dollars. Assumptions are tested one by one, so a run of [`LONGEST`] leaves behind no more
/// groups than it has time for time-outs. Each has two cores and 1 GB until the end.
pub fn bound() -> f64 {
    let [cpu, memory, namespace, million] = PRICES;
    let groups = (LONGEST.as_secs_f64() / PATIENCE.as_secs_f64()).ceil() + 1.0;
    let hours = LONGEST.as_secs_f64() / 3600.0;
    groups * LONGEST.as_secs_f64() * (2.0 * cpu + memory) + hours * namespace + million / 1000.0
}

fn now() -> OffsetDateTime {
    aci_scaler::clock::Clock::system().now()
}
