//! Nothing is left behind.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListVolumesOptions};
use local_azure::container_groups::Phase;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{DEADLINE, OnEngine, engine, shell};

/// The containers and volumes whose names contain this.
async fn left(marker: &str) -> Vec<String> {
    let docker = Docker::connect_with_defaults().unwrap().negotiate_version().await.unwrap();
    let options = ListContainersOptions { all: true, ..ListContainersOptions::default() };
    let containers = docker.list_containers(Some(options)).await.unwrap();
    let volumes = docker.list_volumes(None::<ListVolumesOptions>).await.unwrap().volumes.unwrap_or_default();
    let names = containers.into_iter().flat_map(|container| container.names.unwrap_or_default());
    let names = names.chain(volumes.into_iter().map(|volume| volume.name));
    names.filter(|name| name.contains(marker)).collect()
}

async fn none_is_left(marker: &str) {
    let gone = async {
        while !left(marker).await.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, gone).await.unwrap_or_else(|_| panic!("something of {marker} stays"));
}

#[tokio::test]
async fn the_containers_of_a_group_go_when_it_ends_and_when_it_is_deleted() {
    let Some(on) = OnEngine::start(None).await else { return };
    let mut container = shell("worker", "busybox sleep 1000");
    container["properties"]["volumeMounts"] = json!([{ "name": "scratch", "mountPath": "/scratch" }]);
    let volumes = json!([{ "name": "scratch", "emptyDir": {} }]);
    on.put("ends-deleted", json!({ "volumes": volumes, "containers": [container] })).await;
    on.until("ends-deleted", |group| matches!(group.phase, Phase::Running { .. })).await;
    assert_eq!(left("ends-deleted").await.len(), 2, "a container and a volume");
    on.delete("ends-deleted").await;
    none_is_left("ends-deleted").await;
    on.run("ends-itself", json!({ "containers": [shell("worker", "exit 0")] })).await;
    none_is_left("ends-itself").await;
    on.engine.close().await;
}

#[tokio::test]
async fn closing_the_engine_removes_what_runs() {
    let Some(on) = OnEngine::start(None).await else { return };
    on.put("ends-closed", json!({ "containers": [shell("worker", "busybox sleep 1000")] })).await;
    on.until("ends-closed", |group| matches!(group.phase, Phase::Running { .. })).await;
    on.engine.close().await;
    assert!(left("ends-closed").await.is_empty());
}

#[tokio::test]
async fn what_a_killed_process_has_left_goes_at_the_next_start_and_what_a_living_one_has_stays() {
    let Some(on) = OnEngine::start(None).await else { return };
    on.put("ends-alive", json!({ "containers": [shell("worker", "busybox sleep 1000")] })).await;
    on.until("ends-alive", |group| matches!(group.phase, Phase::Running { .. })).await;
    let arguments = ["serve", "--engine", "docker", "--service-bus-port", "0", "--port", "0"];
    let mut serve = Command::new(env!("CARGO_BIN_EXE_local-azure"));
    let mut serve = serve.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let endpoint = endpoint(&mut serve);
    put(&endpoint, "ends-killed").await;
    let runs = async {
        while left("ends-killed").await.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, runs).await.expect("the group of the other process runs");
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(left("ends-killed").await.len(), 1, "nobody has removed it");

    let next = engine(None).await.unwrap();
    assert!(left("ends-killed").await.is_empty());
    assert_eq!(left("ends-alive").await.len(), 1);
    next.close().await;
    assert_eq!(left("ends-alive").await.len(), 1);
    on.engine.close().await;
    assert!(left("ends-alive").await.is_empty());
}

/// Where a newly started local Azure serves Resource Manager.
fn endpoint(serve: &mut Child) -> String {
    let lines = BufReader::new(serve.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut endpoints = lines.filter_map(|line| Some(line.split_once("Resource Manager   ")?.1.to_owned()));
    endpoints.next().expect("it says where")
}

async fn put(endpoint: &str, name: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = http
        .get(format!("{endpoint}/msi/token?api-version=2019-08-01&resource=https://management.azure.com"))
        .header("X-IDENTITY-HEADER", "local-azure");
    let token: serde_json::Value = token.send().await.unwrap().json().await.unwrap();
    let container = shell("worker", "busybox sleep 1000");
    let properties = json!({ "osType": "Linux", "restartPolicy": "Never", "containers": [container] });
    let path = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/local/providers/\
                Microsoft.ContainerInstance/containerGroups";
    let put = http
        .put(format!("{endpoint}{path}/{name}?api-version=2023-05-01"))
        .bearer_auth(token["access_token"].as_str().unwrap())
        .json(&json!({ "location": "westeurope", "tags": {}, "properties": properties }));
    assert_eq!(put.send().await.unwrap().status(), 201);
}

#[test]
fn an_engine_that_is_not_there_is_an_error_that_says_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_local-azure"))
        .args(["serve", "--engine", "docker", "--service-bus-port", "0", "--port", "0"])
        .env("DOCKER_HOST", "unix:///no-such.sock")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no container engine answers at unix:///no-such.sock"), "{error}");
    assert!(error.contains("Start Docker or Podman, or set DOCKER_HOST"), "{error}");
}
