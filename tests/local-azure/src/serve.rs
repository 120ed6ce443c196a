//! A local Azure that stays up for development, and messages for it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::client::{Client, ClientError};
use crate::container_groups::{ContainerGroupsConfig, Worker};
use crate::demo::{GroupWatch, Story, worth_telling};
use crate::engine::DockerEngine;
use crate::function_app::{FunctionApp, FunctionAppError};
use crate::functions_host::{HostConfig, ShutdownMode};
use crate::local::{LocalAzure, LocalAzureConfig, TOPIC};
use crate::sample::{self, SUBSCRIPTIONS, SampleError};
use crate::service_bus::ServiceBusConfig;
use crate::worker::BuiltIn;

/// The default port of Service Bus: that of AMQP, and of the official emulator.
pub const SERVICE_BUS_PORT: u16 = 5672;

/// The default port of Resource Manager and managed identity: the one after [`HOST_PORT`].
pub const PORT: u16 = 7072;

/// Where the Functions host has its admin endpoints: the port of `func start`.
pub const HOST_PORT: u16 = 7071;

/// The settings that depend on the ports.
const WITH_PORTS: [&str; 5] = [
    "AZURE_RESOURCE_MANAGER_ENDPOINT",
    "IDENTITY_ENDPOINT",
    "INSTANCE_SERVICE_BUS_CONNECTION_STRING",
    "INSTANCE_SERVICE_BUS_NAMESPACE",
    "SB_CONNECTION_STR",
];

/// The local Azure cannot stay up.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Choose other ports.
    #[error("ports {service_bus_port} and {port} cannot be listened on: {source}")]
    Listen {
        /// That of Service Bus.
        service_bus_port: u16,
        /// That of Resource Manager.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The topic could not be set up.
    #[error("the topic could not be set up: {0}")]
    Sample(#[from] SampleError),
    /// The scaler could not be started.
    #[error(transparent)]
    FunctionApp(#[from] FunctionAppError),
}

/// The built-in worker, slow enough to watch and short enough to wait for.
pub fn built_in_worker() -> BuiltIn {
    BuiltIn { at_least: Duration::from_secs(10), per_gib: Duration::from_secs(20), patience: Duration::from_mins(1) }
}

/// What container groups run.
pub enum Runs {
    /// A worker, whatever their images.
    Worker(Arc<dyn Worker>),
    /// Their images.
    Images(DockerEngine),
}

/// Starts a local Azure on these ports, as `.env` expects it on the default ones, whose container groups run this.
pub async fn start(service_bus_port: u16, port: u16, runs: Runs) -> Result<LocalAzure, ServeError> {
    let mut config = LocalAzureConfig::default();
    config.resource_manager.keep_answers = false;
    config.service_bus.addr = SocketAddr::from((Ipv4Addr::LOCALHOST, service_bus_port));
    config.resource_manager.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let groups = ContainerGroupsConfig { pending: Duration::from_secs(1), ..ContainerGroupsConfig::default() };
    config.resource_manager.container_groups = match &runs {
        Runs::Worker(worker) => {
            ContainerGroupsConfig { worker: Arc::clone(worker), pulling: Duration::from_secs(2), ..groups }
        }
        Runs::Images(engine) => ContainerGroupsConfig { engine: Some(Arc::new(engine.clone())), ..groups },
    };
    let azure =
        LocalAzure::start(config).await.map_err(|source| ServeError::Listen { service_bus_port, port, source })?;
    if let Runs::Images(engine) = &runs {
        engine.reach(azure.ports());
    }
    sample::create_subscriptions(&azure.service_bus)?;
    Ok(azure)
}

/// Prints where everything is and what can be done with it.
pub fn tell_how_to_use(azure: &LocalAzure, tell: impl Fn(&str)) {
    tell("The local Azure is up. Ctrl-C ends it.\n");
    tell(&format!("  Page               {}/", azure.resource_manager.endpoint()));
    tell(&format!("  Service Bus        {}", azure.service_bus.connection_string()));
    for (name, sizes) in SUBSCRIPTIONS {
        let (from, to) = sizes.into_inner();
        tell(&format!("                     topic {TOPIC}, subscription {name}: {from} to {to} MB"));
    }
    tell(&format!("  Resource Manager   {}", azure.resource_manager.endpoint()));
    tell(&format!("  Managed identity   {}", azure.resource_manager.identity_endpoint()));
    let port = azure.service_bus.port();
    let is_default = port == SERVICE_BUS_PORT && azure.resource_manager.endpoint().ends_with(&format!(":{PORT}"));
    if !is_default {
        tell("\nThe ports are not those of .env. In a second terminal, first:\n");
        let mut environment = azure.scaler_environment();
        environment.extend(azure.identity_environment());
        for (name, value) in environment.iter().filter(|(name, _)| WITH_PORTS.contains(&name.as_str())) {
            tell(&format!("  export {name}='{value}'"));
        }
    }
    tell("\nIn a second terminal:\n");
    tell("  cargo run -- check   says whether the scaler can read each service");
    tell("  cargo run -- plan    prints what a pass would do");
    tell("  cargo run -- once    makes a pass");
    tell("  func start           makes one every 15 s, with the Core Tools");
    let option = if is_default { String::new() } else { format!(" --service-bus-port {port}") };
    tell(&format!("  cargo local send --size 120 --count 3{option}   sends three messages about files of 120 MB\n"));
}

/// Prints what happens to container groups, until it is dropped.
pub async fn follow(azure: &LocalAzure, story: &Story) {
    let groups = azure.resource_manager.container_groups();
    let mut changes = groups.changes();
    let mut watch = GroupWatch::default();
    while changes.changed().await.is_ok() {
        for name in watch.look(&groups.groups(), story) {
            story.tell("group", &format!("{name} is gone"));
        }
    }
}

/// Starts the scaler under a Functions host whose timer fires as `ScaleTimer/function.json` says, for container groups of this
/// image.
pub async fn start_host(azure: &LocalAzure, scaler: &Path, image: &str) -> Result<FunctionApp, ServeError> {
    let mut settings = azure.scaler_environment();
    settings.extend(azure.identity_environment());
    settings.insert("ACI_IMAGE".to_owned(), image.to_owned());
    settings.insert("LOG_FORMAT".to_owned(), "json".to_owned());
    // The timer already keeps to 15 s, and every invocation by hand gets a pass.
    settings.insert("SCALE_EVERY_SECONDS".to_owned(), "0".to_owned());
    let (outcomes, mut ended) = mpsc::unbounded_channel();
    let passes = azure.passes.clone();
    // Ends with the host, which alone has the sender.
    tokio::spawn(async move {
        while let Some(outcome) = ended.recv().await {
            passes.add_outcome(outcome);
        }
    });
    let configure = |config| HostConfig {
        timers: true,
        outcomes: Some(outcomes),
        shutdown: ShutdownMode::CoreTools,
        admin: SocketAddr::from((Ipv4Addr::LOCALHOST, HOST_PORT)),
        ..config
    };
    Ok(FunctionApp::start(scaler, settings, configure).await?)
}

/// Prints the important lines that the host and the scaler log, until it is dropped.
pub async fn follow_host(app: &FunctionApp, story: &Story) {
    let mut records = app.host.records().follow();
    while let Some(record) = records.recv().await {
        for (who, text) in worth_telling(&record) {
            story.tell(who, &text);
        }
    }
}

/// Sends messages about files of this size to a local Azure, and returns their ids.
pub async fn send(service_bus_port: u16, size_mb: u32, count: u32) -> Result<Vec<String>, ClientError> {
    let ServiceBusConfig { key_name, key, .. } = ServiceBusConfig::default();
    let connection_string = format!(
        "Endpoint=sb://127.0.0.1:{service_bus_port};SharedAccessKeyName={key_name};SharedAccessKey={key};\
         UseDevelopmentEmulator=true"
    );
    let ids: Vec<_> = (0..count).map(|_| Uuid::new_v4().to_string()).collect();
    let mut client = Client::connect(&connection_string).await?;
    let sent = client.send(TOPIC, ids.iter().map(|id| sample::message(id, size_mb))).await;
    client.close().await;
    sent.map(|()| ids)
}
