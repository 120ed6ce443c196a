//! The Azure under test: the local one, or a real one.

use std::sync::Arc;

use aci_scaler::azure::credential::Credential;
use aci_scaler::clock::Clock;
use aci_scaler::http::Http;
use aci_scaler::settings::{Environment, Settings};
use local_azure::container_groups::ContainerGroupsConfig;
use local_azure::function_app::{FUNCTION, FunctionApp};
use local_azure::functions_host::Outcome;
use local_azure::identity::RESOURCE_MANAGER_AUDIENCE;
use local_azure::local::{LocalAzure, LocalAzureConfig, TOPIC};
use local_azure::sample;
use local_azure::worker::BuiltIn;
use reqwest::{Client, StatusCode, Url};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::group::Group;

/// The stable version of the Container Instances API, which the scaler uses too.
const API_VERSION: &str = "2023-05-01";

/// An Azure with a topic, a resource group for container groups and, sooner or later, passes of a scaler.
pub struct Azure {
    /// The scaler's settings.
    pub settings: Settings,
    /// Allows sending to the namespace.
    pub connection_string: String,
    http: Client,
    kind: Kind,
}

enum Kind {
    Local { azure: LocalAzure, scaler: FunctionApp },
    Real(Credential),
}

impl Azure {
    /// The Azure that the settings in the environment name, or else a local one.
    pub async fn from_environment(environment: &impl Environment) -> Self {
        if environment.get("AZURE_SUBSCRIPTION_ID").is_none() {
            return Self::local().await;
        }
        let settings = Settings::from_environment(environment).unwrap_or_else(|errors| panic!("{errors}"));
        let connection_string = environment.get("SB_CONNECTION_STR");
        let connection_string =
            connection_string.expect("SB_CONNECTION_STR is needed: the test sends messages with it");
        let variable = |name: &str| environment.get(name);
        let credential = Credential::from_environment(variable, &settings.azure, &Http::new(), Clock::system());
        let kind = Kind::Real(credential.unwrap_or_else(|error| panic!("{error}")));
        Self { settings, connection_string, http: http(), kind }
    }

    async fn local() -> Self {
        let mut config = LocalAzureConfig::default();
        config.resource_manager.container_groups =
            ContainerGroupsConfig { worker: Arc::new(BuiltIn::default()), ..ContainerGroupsConfig::default() };
        let azure = LocalAzure::start(config).await.unwrap();
        sample::create_subscriptions(&azure.service_bus).unwrap();
        let environment = azure.scaler_environment();
        let settings = Settings::from_environment(&environment).unwrap();
        let binary = env!("CARGO_BIN_EXE_aci-scaler").as_ref();
        let scaler = FunctionApp::start(binary, environment, |config| config).await.unwrap();
        let connection_string = azure.service_bus.connection_string();
        Self { settings, connection_string, http: http(), kind: Kind::Local { azure, scaler } }
    }

    /// Whether it is the local one, where the scaler runs only when invoked.
    pub fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local { .. })
    }

    /// Invokes the local scaler. A deployed one runs on its own timer.
    pub async fn invoke_scaler(&self) {
        if let Kind::Local { scaler, .. } = &self.kind {
            let invocation = scaler.host.invocation(FUNCTION).await.unwrap();
            let outcome = scaler.host.invoke(&invocation).await;
            assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
        }
    }

    /// All container groups of the resource group.
    pub async fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        let mut next = Some(self.url(""));
        while let Some(url) = next {
            let page = self.get(url).await.expect("the resource group exists");
            groups.extend(page["value"].as_array().expect("a list has values").iter().cloned().map(Group::new));
            next = page["nextLink"].as_str().map(|link| link.parse().expect("a link is a URL"));
        }
        groups
    }

    /// A container group, if it exists.
    pub async fn group(&self, name: &str) -> Option<Group> {
        self.get(self.url(&format!("/{name}"))).await.map(Group::new)
    }

    /// Checks that the local Azure is empty again: the workers have settled the messages.
    pub fn check_nothing_is_left(&self) {
        if let Kind::Local { azure, .. } = &self.kind {
            let subscriptions = azure.service_bus.subscriptions(TOPIC).unwrap();
            let left: usize = subscriptions.iter().map(|it| it.active_messages + it.dead_letter_messages).sum();
            assert_eq!(left, 0, "{subscriptions:?}");
            assert_eq!(azure.resource_manager.container_groups().groups(), []);
        }
    }

    fn url(&self, path: &str) -> Url {
        let azure = &self.settings.azure;
        let groups = format!(
            "subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerInstance/containerGroups{path}\
             ?api-version={API_VERSION}",
            azure.subscription_id, azure.resource_group,
        );
        azure.resource_manager.join(&groups).expect("names of resources are parts of URLs")
    }

    /// The body of the answer, or nothing if the resource does not exist.
    async fn get(&self, url: Url) -> Option<Value> {
        let answer = self.http.get(url.clone()).bearer_auth(self.token().await).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        if status == StatusCode::NOT_FOUND {
            return None;
        }
        assert_eq!(status, StatusCode::OK, "GET {url}: {body}");
        Some(serde_json::from_str(&body).unwrap())
    }

    async fn token(&self) -> String {
        match &self.kind {
            Kind::Local { azure, .. } => {
                azure.resource_manager.identity().issue(RESOURCE_MANAGER_AUDIENCE, std::time::Duration::from_hours(1))
            }
            Kind::Real(credential) => {
                let audience = self.settings.azure.resource_manager_audience.trim_end_matches('/');
                let token = credential.token(&format!("{audience}/.default")).await;
                token.unwrap_or_else(|error| panic!("{error}")).secret.expose_secret().to_owned()
            }
        }
    }
}

fn http() -> Client {
    // reqwest needs a TLS provider even for plain HTTP. One that is already installed is as good.
    _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().tcp_nodelay(true).build().unwrap()
}
