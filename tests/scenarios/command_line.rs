//! The commands, what they print and what they exit with.

use std::fs::File;
use std::process::Stdio;

use local_azure::resource_manager::OperationKind::{
    DeleteGroup, GetLogs, ListGroups, ListTopicSubscriptions, PutGroup,
};
use local_azure::resource_manager::{Answer, Fault};
use tokio::time::timeout;

use crate::served::Served;
use crate::support::{PATIENCE, World, messages};

#[tokio::test]
async fn help_says_what_there_is() {
    let world = World::new(&[]).await;
    let help = world.run(&["--help"]).await;
    assert_eq!(help.exit_code, 0);
    insta::assert_snapshot!(help.output);
    let unknown = world.run(&["scale"]).await;
    assert_eq!(unknown.exit_code, 64);
    assert!(unknown.log.contains("unrecognized subcommand 'scale'"), "{unknown:#?}");
}

#[tokio::test]
async fn a_plan_says_what_a_pass_would_do_and_does_nothing() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 2));
    let plan = world.run(&["plan"]).await;
    assert_eq!(plan.exit_code, 0, "{plan:#?}");
    assert!(plan.output.contains("2 to be created"), "{plan:#?}");
    let json = world.run(&["plan", "--json"]).await.report();
    assert_eq!(json["message_counts"]["to_be_created"], 2);
    for kind in [PutGroup, DeleteGroup, GetLogs] {
        assert_eq!(world.calls(kind), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_dry_run_does_nothing_either() {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_DRY_RUN", "true");
    world.send("a", messages("m", 2));
    let pass = world.pass().await;
    assert_eq!(pass.messages()["to_be_created"], 2);
    assert_eq!(world.calls(PutGroup), Vec::<String>::new());
}

#[tokio::test]
async fn once_prints_a_summary_for_people_and_a_report_for_programs() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 1));
    let summary = world.run(&["once"]).await;
    assert_eq!(summary.exit_code, 0);
    assert!(summary.output.starts_with("Pass of ") && summary.output.contains("1 created"), "{summary:#?}");
    let report = world.run(&["once", "--json"]).await.report();
    assert_eq!(report["capacity"]["active"], 1);
}

#[tokio::test]
async fn check_says_of_each_service_whether_it_can_be_used() {
    let mut world = World::new(&["a", "b"]).await;
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 0, "{check:#?}");
    assert!(check.output.lines().all(|line| line.starts_with("ok ")), "{check:#?}");
    for what in [
        "container groups:",
        "permissions on the resource group:",
        "permissions on the topic:",
        "quota ContainerGroups:",
        "quota StandardCores:",
        "sizes:",
        "clock:",
        "subscriptions:",
        "subscription a:",
        "subscription b:",
        "image:",
        "deadline:",
    ] {
        assert_eq!(check.output.matches(what).count(), 1, "{what}: {check:#?}");
    }
    world.azure.resource_manager.inject(Fault::always(ListGroups).answers(Answer::forbidden("list")));
    let wrong = world.environment["SB_CONNECTION_STR"].replace("local-azure-key", "another");
    world.set("SB_CONNECTION_STR", wrong);
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 1, "{check:#?}");
    let failures: Vec<_> = check.output.lines().filter(|line| line.starts_with("failure ")).collect();
    assert_eq!(failures.len(), 2, "{check:#?}");
    assert!(failures[0].contains("container groups: ") && failures[1].contains("Service Bus: "), "{check:#?}");
}

#[tokio::test]
async fn check_peeks_only_what_a_pass_would_peek() {
    let mut world = World::new(&["a", "b"]).await;
    world.set("SKIP_SUBSCRIPTIONS", "B");
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 0, "{check:#?}");
    assert!(check.output.contains("subscription b: it is skipped."), "{check:#?}");
    assert!(check.output.contains("subscription a: it can be peeked, 0 messages and 0 dead letters."), "{check:#?}");
    assert!(world.peeks().iter().all(|(subscription, _)| subscription == "a"), "{:?}", world.peeks());
}

#[tokio::test]
async fn check_says_so_if_it_peeked_nothing() {
    let world = World::new(&[]).await;
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 0, "{check:#?}");
    assert!(check.output.contains("subscriptions: the topic has none, so there is nothing to do."), "{check:#?}");
    world.azure.resource_manager.inject(Fault::always(ListTopicSubscriptions).answers(Answer::forbidden("list")));
    let check = world.run(&["check"]).await;
    assert_eq!(check.exit_code, 1, "{check:#?}");
    assert!(check.output.contains("Service Bus: it can be reached; no message was peeked."), "{check:#?}");
}

#[tokio::test]
async fn a_misspelt_setting_is_warned_of() {
    let mut world = World::new(&["a"]).await;
    world.set("PROVISIONING_MAX_WORKER", "8");
    let pass = world.pass().await;
    assert!(pass.log.contains("WARN") && pass.log.contains("PROVISIONING_MAX_WORKERS"), "{}", pass.log);
}

#[tokio::test]
async fn a_skipped_subscription_that_is_not_there_is_warned_of() {
    let mut world = World::new(&["small", "large"]).await;
    world.set("SKIP_SUBSCRIPTIONS", "Small,lagre");
    let warnings = |log: &str| log.lines().filter(|line| line.contains("SKIP_SUBSCRIPTIONS names")).count();
    for command in ["once", "plan", "check"] {
        let run = world.run(&[command]).await;
        let said = if command == "check" { &run.output } else { &run.log };
        assert!(said.contains("SKIP_SUBSCRIPTIONS names lagre, and the topic has no such"), "{command}: {run:#?}");
        assert_eq!(warnings(said), 1, "{command}: {run:#?}");
    }
    let scaler = Served::start(&world).await;
    for _ in 0..2 {
        scaler.pass().await;
    }
    assert_eq!(warnings(&scaler.kill().await), 1, "once a process");
}

#[tokio::test]
async fn a_malformed_dot_env_file_is_refused_with_the_line() {
    let world = World::new(&[]).await;
    std::fs::write(world.folder().join(".env"), "# Ours\nACI_NAME_PREFIX=worker\nACR_PASSWORD=canary secret\n")
        .unwrap();
    let run = world.run(&["check"]).await;
    assert_eq!(run.exit_code, 64, "{run:#?}");
    assert!(run.log.contains("line 3 of the .env file") && !run.log.contains("canary"), "{run:#?}");
}

#[tokio::test]
async fn a_value_that_azure_would_always_refuse_is_refused_at_the_start() {
    let world = World::new(&["a"]).await;
    let emulator = "Endpoint=sb://myns.servicebus.windows.net;SharedAccessKeyName=n;SharedAccessKey=k;\
                    UseDevelopmentEmulator=true";
    let web_sockets = format!("{};TransportType=AmqpWebSockets", world.environment["SB_CONNECTION_STR"]);
    for (name, value) in [
        ("INSTANCE_2ND_TOPIC", "files"),
        ("INSTANCE_SUBSCRIPTION_ENV_NAME", "2ND"),
        ("INSTANCE_API_KEY", "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/api-key)"),
        ("SB_CONNECTION_STR", "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/bus)"),
        ("SB_CONNECTION_STR", emulator),
        ("SB_CONNECTION_STR", &web_sockets),
        ("ACI_IMAGE", "local/Worker:1"),
        ("ACI_IMAGE", "local/worker:"),
        ("ACI_IMAGE", "{{image}}"),
    ] {
        let mut command = world.command(&["once"]);
        let output = command.env(name, value).output().await.unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{name}={value}: {log}");
        assert!(log.contains(&format!(" {name}=")) && log.lines().count() == 1, "{name}={value}: {log}");
    }
    assert_eq!(world.azure.resource_manager.calls().len(), 0);
}

/// Runs the scaler with its standard output in this place.
async fn run_into(world: &World, arguments: &[&str], out: impl Into<Stdio>) -> (Option<i32>, String) {
    let child = world.command(arguments).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    let ended = timeout(PATIENCE, child.wait_with_output()).await.expect("the scaler ends").unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[tokio::test]
async fn a_reader_that_has_read_enough_ends_nothing() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 3));
    for arguments in [&["plan"][..], &["plan", "--json"], &["check"], &["once", "--json"], &["--help"], &["--version"]]
    {
        let (reader, out) = std::io::pipe().unwrap();
        drop(reader);
        let (exit_code, log) = run_into(&world, arguments, out).await;
        assert_eq!(exit_code, Some(0), "{arguments:?}: {log}");
        let said = log.lines().any(|line| ["ERROR", "anic", "pipe"].iter().any(|word| line.contains(word)));
        assert!(!said, "{arguments:?}: {log}");
    }
    assert_eq!(world.calls(PutGroup).len(), 3);
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_says_what_was_done_all_the_same() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("m", 3));
    for arguments in [&["plan", "--json"][..], &["check"], &["once"], &["--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (exit_code, log) = run_into(&world, arguments, full).await;
        assert_eq!(exit_code, Some(74), "{arguments:?}: {log}");
        let said = log.contains("the result could not be written to the standard output: No space left on device");
        assert!(said && !log.contains("panicked"), "{arguments:?}: {log}");
        assert_eq!(log.contains("3 created"), arguments == ["once"], "{log}");
    }
    assert_eq!(world.calls(PutGroup).len(), 3);
}
