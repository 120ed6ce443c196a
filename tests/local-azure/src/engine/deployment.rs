//! What the engine is to run for a group.

use std::collections::BTreeMap;

use bollard::auth::DockerCredentials;
use serde_json::Value;

use super::image::registry_of;
use crate::container_groups::{ContainerIndex, Deployment, Job, variables};

/// A group to run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) group: String,
    pub(super) restart: RestartPolicy,
    pub(super) init: Vec<Asked>,
    pub(super) main: Vec<Asked>,
}

/// When a container that has exited is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// A container as it was requested.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) index: ContainerIndex,
    pub(super) name: String,
    pub(super) image: String,
    /// Replaces the image's own; empty for none.
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) memory_gb: f64,
    pub(super) cpu: f64,
    /// Its mounts, or why it cannot have them.
    pub(super) mounts: Result<Vec<VolumeMount>, String>,
    /// The credentials for pulling the image.
    pub(super) credentials: Option<DockerCredentials>,
}

/// An `emptyDir` volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VolumeMount {
    pub(super) volume: String,
    pub(super) path: String,
    pub(super) read_only: bool,
}

impl Plan {
    pub(super) fn new(deployment: Deployment) -> Self {
        let Deployment { group, properties, containers } = deployment;
        let restart = match properties["restartPolicy"].as_str() {
            Some("Never") => RestartPolicy::Never,
            Some("OnFailure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        };
        let (memory_gb, cpu) =
            containers.iter().fold((0.0, 0.0), |(memory, cpu), job| (memory + job.memory_gb, cpu + job.cpu));
        let sent = |list: &str| properties[list].as_array().cloned().unwrap_or_default();
        let (init, main) = (sent("initContainers"), sent("containers"));
        let init = init.iter().enumerate().map(|(index, init)| Asked {
            index: ContainerIndex::Init(index),
            name: text(&init["name"]),
            image: text(&init["properties"]["image"]),
            command: init["properties"]["command"].as_array().into_iter().flatten().map(text).collect(),
            environment: variables(init),
            // A container that runs alone may use everything that the group has.
            memory_gb,
            cpu,
            mounts: mounts(&properties, init),
            credentials: credentials(&properties, &text(&init["properties"]["image"])),
        });
        let init = init.collect();
        let main = containers.into_iter().zip(&main).enumerate();
        let main = main.map(|(index, (job, sent))| Asked::main(index, job, sent, &properties)).collect();
        Self { group, restart, init, main }
    }
}

impl Asked {
    fn main(index: usize, job: Job, sent: &Value, properties: &Value) -> Self {
        // Without a limit of its own a container may use what it requests.
        let limits = &sent["properties"]["resources"]["limits"];
        Self {
            index: ContainerIndex::Main(index),
            memory_gb: limits["memoryInGB"].as_f64().unwrap_or(job.memory_gb),
            cpu: limits["cpu"].as_f64().unwrap_or(job.cpu),
            mounts: mounts(properties, sent),
            credentials: credentials(properties, &job.image),
            name: job.container,
            image: job.image,
            command: job.command,
            environment: job.environment,
        }
    }
}

impl RestartPolicy {
    pub(super) fn restarts(self, succeeded: bool) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => !succeeded,
            Self::Never => false,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn mounts(properties: &Value, container: &Value) -> Result<Vec<VolumeMount>, String> {
    let mounts = container["properties"]["volumeMounts"].as_array().into_iter().flatten();
    mounts.map(|mount| volume_mount(properties, mount)).collect()
}

fn volume_mount(properties: &Value, mount: &Value) -> Result<VolumeMount, String> {
    let name = text(&mount["name"]);
    let mut volumes = properties["volumes"].as_array().into_iter().flatten();
    let volume = volumes.find(|volume| volume["name"] == name.as_str());
    let volume = volume.ok_or_else(|| format!("there is no volume '{name}'"))?;
    if volume.get("emptyDir").is_none() {
        return Err(format!("volume '{name}' is not of the kind emptyDir, the only one that the local Azure mounts"));
    }
    let read_only = mount["readOnly"].as_bool().unwrap_or_default();
    Ok(VolumeMount { volume: name, path: text(&mount["mountPath"]), read_only })
}

/// The user and password for an image's registry; an identity's are known only to Azure.
fn credentials(properties: &Value, image: &str) -> Option<DockerCredentials> {
    let registry = registry_of(image);
    let mut all = properties["imageRegistryCredentials"].as_array().into_iter().flatten();
    let found = all.find(|credential| {
        let server = text(&credential["server"]).to_lowercase();
        let server = server.split_once("://").map_or(server.as_str(), |(_, server)| server).trim_end_matches('/');
        server == registry || (registry == "docker.io" && matches!(server, "index.docker.io" | "index.docker.io/v1"))
    })?;
    let username = found["username"].as_str()?.to_owned();
    Some(DockerCredentials {
        username: Some(username),
        password: Some(text(&found["password"])),
        serveraddress: Some(registry),
        ..DockerCredentials::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::container_groups::LogSink;

    fn plan(properties: &Value) -> Plan {
        let job = |image: &str| Job {
            group: "g".to_owned(),
            container: "worker".to_owned(),
            image: image.to_owned(),
            command: vec![],
            environment: BTreeMap::new(),
            memory_gb: 1.5,
            cpu: 1.0,
            log: LogSink::default(),
        };
        let containers = properties["containers"].as_array().unwrap();
        let containers = containers.iter().map(|container| job(&text(&container["properties"]["image"]))).collect();
        Plan::new(Deployment { group: "g".to_owned(), properties: properties.clone(), containers })
    }

    #[test]
    fn an_image_is_pulled_with_the_credentials_of_its_own_registry() {
        let plan = plan(&json!({
            "imageRegistryCredentials": [
                { "server": "other.azurecr.io", "username": "u1", "password": "p1" },
                { "server": "https://Mine.azurecr.io/", "username": "u2", "password": "p2" },
                { "server": "index.docker.io", "username": "u3", "password": "p3" },
                { "server": "identity.azurecr.io", "identity": "/subscriptions/x" },
            ],
            "containers": [
                { "properties": { "image": "mine.azurecr.io/worker:1" } },
                { "properties": { "image": "library/worker" } },
                { "properties": { "image": "identity.azurecr.io/worker" } },
                { "properties": { "image": "localhost:5000/worker" } },
            ],
        }));
        let users: Vec<_> =
            plan.main.iter().map(|asked| asked.credentials.as_ref().and_then(|c| c.username.as_deref())).collect();
        assert_eq!(users, [Some("u2"), Some("u3"), None, None]);
    }

    #[test]
    fn a_limit_of_its_own_goes_before_what_a_container_requests() {
        let limits = json!({ "limits": { "memoryInGB": 3.0 } });
        let plan = plan(&json!({ "containers": [
            { "properties": { "image": "a", "resources": limits } }, { "properties": { "image": "b" } },
        ] }));
        let limits: Vec<_> = plan.main.iter().map(|asked| (asked.memory_gb, asked.cpu)).collect();
        assert_eq!(limits, [(3.0, 1.0), (1.5, 1.0)]);
        assert_eq!(plan.restart, RestartPolicy::Always, "as in Azure");
    }

    #[test]
    fn a_volume_that_cannot_be_mounted_is_named() {
        let container = |volume: &str| {
            let mount = json!({ "name": volume, "mountPath": "/data", "readOnly": true });
            json!({ "properties": { "image": "a", "volumeMounts": [mount] } })
        };
        let plan = plan(&json!({
            "volumes": [{ "name": "scratch", "emptyDir": {} }, { "name": "share", "azureFile": {} }],
            "containers": [container("scratch"), container("share"), container("none")],
        }));
        let mounts: Vec<_> = plan.main.iter().map(|asked| asked.mounts.clone()).collect();
        let scratch = VolumeMount { volume: "scratch".to_owned(), path: "/data".to_owned(), read_only: true };
        assert_eq!(mounts[0], Ok(vec![scratch]));
        assert!(mounts[1].as_ref().unwrap_err().contains("'share' is not of the kind emptyDir"));
        assert!(mounts[2].as_ref().unwrap_err().contains("no volume 'none'"));
    }
}
