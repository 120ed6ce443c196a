//! The lives of groups, and what Resource Manager shows of them.

use local_azure::container_groups::Phase;
use local_azure::engine::Network;
use serde_json::{Value, json};

use crate::support::{OnEngine, events, shell, state};

#[tokio::test]
async fn a_group_runs_its_image_with_its_environment_and_shows_the_exit_code_and_the_log() {
    let Some(on) = OnEngine::start(None).await else { return };
    let mut container = shell("worker", "echo $PLAIN $SECRET; echo error >&2; echo; exit 3");
    container["properties"]["environmentVariables"] =
        json!([{ "name": "PLAIN", "value": "a b" }, { "name": "SECRET", "secureValue": "s" }]);
    let group = on.run("worker-1", json!({ "containers": [container] })).await;
    let shown = state(&group, 0);
    assert_eq!((&shown["state"], &shown["exitCode"]), (&json!("Terminated"), &json!(3)));
    assert_eq!(shown["detailStatus"], "Error");
    assert!(shown["startTime"].as_str() <= shown["finishTime"].as_str(), "{shown}");
    assert_eq!(group["properties"]["instanceView"]["state"], "Failed");
    assert_eq!(group["properties"]["provisioningState"], "Succeeded");
    let log = on.log("worker-1", "worker").await;
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["", "a b s", "error"]);
    assert!(events(&group, 0).contains(&"Started: Started container worker".to_owned()), "{group:#}");
    on.engine.close().await;
}

#[tokio::test]
async fn containers_that_exceed_the_groups_memory_are_killed_for_it_and_those_of_others_are_not() {
    let Some(on) = OnEngine::start(None).await else { return };
    // The memory of `tail` grows until its input ends, to 572 MiB; the limit is 512.
    let exceeds = "exec tail -c 600000000 /dev/zero";
    let group = on.run("worker-1", json!({ "containers": [shell("worker", exceeds)] })).await;
    let shown = state(&group, 0);
    assert_eq!((&shown["exitCode"], &shown["detailStatus"]), (&json!(137), &json!("OOMKilled")));
    let mut limited = shell("worker", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max");
    limited["properties"]["resources"]["requests"]["memoryInGB"] = json!(1.5);
    on.run("worker-2", json!({ "containers": [limited] })).await;
    assert!(on.log("worker-2", "worker").await.contains("1610612736"), "1.5 GB");
    let mut limited = shell("worker", "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max");
    limited["properties"]["resources"]["requests"]["cpu"] = json!(4);
    on.run("worker-3", json!({ "containers": [limited] })).await;
    assert!(on.log("worker-3", "worker").await.contains("400000"), "four cores, on a machine that may have two");
    on.engine.close().await;
}

#[tokio::test]
async fn containers_of_a_group_share_a_network_and_its_volumes_and_have_states_and_logs_of_their_own() {
    let Some(on) = OnEngine::start(Some(Network::Isolated)).await else { return };
    let mounted = |name: &str, script: &str| {
        let mut container = shell(name, script);
        container["properties"]["volumeMounts"] = json!([{ "name": "scratch", "mountPath": "/scratch" }]);
        container
    };
    let properties = json!({
        "volumes": [{ "name": "scratch", "emptyDir": {} }],
        "containers": [
            mounted("worker", "while [ ! -e /scratch/ready ]; do busybox sleep 0.1; done; busybox nc 127.0.0.1 8080"),
            mounted("sidecar", "echo hello | busybox nc -l -p 8080 & \
                     while ! busybox netstat -ltn | busybox grep -q 8080; do :; done; echo up; \
                     echo > /scratch/ready; wait; busybox sleep 1000"),
        ],
    });
    on.put("worker-1", properties).await;
    let has_ended = |group: &Value| state(group, 0)["state"] == "Terminated";
    let group = on.until("worker-1", |group| has_ended(&group.json)).await;
    assert_eq!(state(&group, 0)["exitCode"], 0, "{group:#}");
    assert_eq!(state(&group, 1)["state"], "Running");
    assert_eq!(group["properties"]["instanceView"]["state"], "Running", "the sidecar runs on, and bills");
    assert_eq!(on.log("worker-1", "worker").await, "hello\n");
    assert_eq!(on.log("worker-1", "sidecar").await, "up\n");
    // Another group has another network.
    let other = on.run("worker-2", json!({ "containers": [shell("worker", "busybox nc 127.0.0.1 8080")] })).await;
    assert_eq!(state(&other, 0)["exitCode"], 1);
    on.engine.close().await;
}

#[tokio::test]
async fn init_containers_run_first_and_one_that_fails_is_the_end() {
    let Some(on) = OnEngine::start(None).await else { return };
    let init = |script: &str| {
        let mut container = shell("init", script);
        container["properties"].as_object_mut().unwrap().remove("resources");
        container["properties"]["volumeMounts"] = json!([{ "name": "scratch", "mountPath": "/scratch" }]);
        container
    };
    let mut worker = shell("worker", "busybox cat /scratch/made");
    worker["properties"]["volumeMounts"] = json!([{ "name": "scratch", "mountPath": "/scratch", "readOnly": true }]);
    let with = |script: &str| {
        json!({
            "volumes": [{ "name": "scratch", "emptyDir": {} }],
            "initContainers": [init(script)],
            "containers": [worker],
        })
    };
    let group = on.run("worker-1", with("echo first > /scratch/made")).await;
    assert_eq!(state(&group, 0)["exitCode"], 0, "{group:#}");
    assert_eq!(on.log("worker-1", "worker").await, "first\n");
    let group = on.run("worker-2", with("exit 7")).await;
    let view = &group["properties"]["initContainers"][0]["properties"]["instanceView"];
    assert_eq!(view["currentState"]["exitCode"], 7);
    assert_eq!(state(&group, 0)["state"], "Waiting");
    on.engine.close().await;
}

#[tokio::test]
async fn what_keeps_a_container_from_starting_is_said_in_azures_words() {
    let Some(on) = OnEngine::start(None).await else { return };
    let mut unreachable = shell("worker", "");
    unreachable["properties"]["image"] = json!("127.0.0.1:1/worker:1");
    on.put("worker-1", json!({ "containers": [unreachable] })).await;
    let group = on.until("worker-1", |group| group.phase == Phase::ImagePullBackOff).await;
    assert_eq!(state(&group, 0), json!({ "state": "Waiting", "detailStatus": "ImagePullBackOff" }));
    assert_eq!(group["properties"]["provisioningState"], "Creating");
    let texts = events(&group, 0).join("\n");
    assert!(
        texts.contains("Failed: Failed to pull image \"127.0.0.1:1/worker:1\": rpc error: code 2 desc "),
        "{texts}"
    );
    assert!(texts.contains("BackOff: Back-off pulling image \"127.0.0.1:1/worker:1\""), "{texts}");

    let mut no_program = shell("worker", "");
    no_program["properties"]["command"] = json!(["/no-such-program"]);
    on.put("worker-2", json!({ "containers": [no_program] })).await;
    let group = on.until("worker-2", |group| matches!(group.phase, Phase::StartFails(_))).await;
    assert_eq!(state(&group, 0)["detailStatus"], "RunContainerError");
    let texts = events(&group, 0).join("\n");
    assert!(texts.contains("Failed: Error: failed to start container \"worker\"") && texts.contains("no-such-program"));

    let mut misnamed = shell("worker", "");
    misnamed["properties"]["image"] = json!("Upper/Case");
    on.put("worker-3", json!({ "containers": [misnamed] })).await;
    let group = on.until("worker-3", |group| matches!(group.phase, Phase::StartFails(_))).await;
    assert_eq!(state(&group, 0)["detailStatus"], "InvalidImageName");

    let mut mounts = shell("worker", "");
    mounts["properties"]["volumeMounts"] = json!([{ "name": "share", "mountPath": "/share" }]);
    let volumes = json!([{ "name": "share", "azureFile": { "shareName": "s", "storageAccountName": "a", "storageAccountKey": "k" } }]);
    on.put("worker-4", json!({ "volumes": volumes, "containers": [mounts] })).await;
    let group = on.until("worker-4", |group| matches!(group.phase, Phase::StartFails(_))).await;
    assert_eq!(state(&group, 0)["detailStatus"], "CreateContainerConfigError");
    on.engine.close().await;
}

#[tokio::test]
async fn a_container_that_is_to_be_restarted_is_and_its_last_end_is_shown() {
    let Some(on) = OnEngine::start(None).await else { return };
    let mut container = shell("worker", "test -e /scratch/again || { echo > /scratch/again; exit 5; }; echo done");
    container["properties"]["volumeMounts"] = json!([{ "name": "scratch", "mountPath": "/scratch" }]);
    let volumes = json!([{ "name": "scratch", "emptyDir": {} }]);
    let properties = json!({ "restartPolicy": "OnFailure", "volumes": volumes, "containers": [container] });
    on.put("worker-1", properties).await;
    let succeeded = |group: &Value| state(group, 0)["exitCode"] == 0;
    let group = on.until("worker-1", |group| succeeded(&group.json)).await;
    let view = &group["properties"]["containers"][0]["properties"]["instanceView"];
    assert_eq!((&view["restartCount"], &view["previousState"]["exitCode"]), (&json!(1), &json!(5)));
    assert_eq!(group["properties"]["instanceView"]["state"], "Succeeded");
    on.engine.close().await;
}
