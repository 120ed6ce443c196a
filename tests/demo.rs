//! `cargo local` does what it promises to a newcomer, with the scaler that these tests have built.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_azure::demo::{Demo, Story, Summary};
use local_azure::local::{LocalAzure, LocalAzureConfig};
use local_azure::serve::{PORT, SERVICE_BUS_PORT};

/// Runs a demonstration and returns what came of it and what it told.
async fn run(demo: Demo) -> (Summary, Vec<String>) {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&lines);
    let summary = demo.run(&Story::new(move |line| told.lock().unwrap().push(line.to_owned()))).await.unwrap();
    let lines = lines.lock().unwrap().clone();
    (summary, lines)
}

fn demo() -> Demo {
    Demo::new(env!("CARGO_BIN_EXE_aci-scaler").into())
}

/// Where the only line that holds these words is.
fn place(lines: &[String], words: &[&str]) -> usize {
    let places: Vec<_> = (0..lines.len()).filter(|line| words.iter().all(|word| lines[*line].contains(word))).collect();
    assert_eq!(places.len(), 1, "{words:?} in\n{}", lines.join("\n"));
    places[0]
}

#[tokio::test]
async fn every_message_is_served_by_a_group_of_its_own_that_goes_again() {
    let (summary, lines) = run(demo()).await;
    let told = lines.join("\n");
    assert!(summary.is_complete(), "{summary}\n{told}");
    assert_eq!((summary.sent, summary.served), (12, 12), "{told}");
    // A worker may take another group's message; where the machine stalls that costs a group more.
    assert!(summary.created >= 12 && summary.deleted == summary.created, "{told}");
    assert_eq!(summary.most_at_once, 6, "{told}");
    assert!(summary.took < Duration::from_mins(1), "{summary}");
    assert!(told.contains("6 waiting capacity"), "{told}");
    assert!(!told.contains("scaler   Warning") && !told.contains("scaler   Error"), "{told}");

    let sent = place(&lines, &["file-10 of 850 MB is sent, and is in 601-1GB"]);
    let created = place(&lines, &["is created with 6.7 GB for file-10 of 850 MB in 601-1GB"]);
    let name = lines[created].split_whitespace().find(|word| word.starts_with("worker-")).unwrap();
    let steps = [
        sent,
        created,
        place(&lines, &[name, "is running"]),
        place(&lines, &[name, "has exited with 0"]),
        place(&lines, &[name, "| took message"]),
        place(&lines, &[name, "is done and settled"]),
        place(&lines, &[name, "is deleted"]),
    ];
    assert!(steps.is_sorted(), "{told}");
}

#[tokio::test]
async fn what_is_not_served_in_time_is_told_and_is_no_success() {
    let (summary, lines) = run(Demo { cap: 0, deadline: Duration::from_secs(3), ..demo() }).await;
    assert!(!summary.is_complete());
    assert_eq!((summary.served, summary.created, summary.left.len()), (0, 0, 12), "{}", lines.join("\n"));
    let closing = summary.to_string();
    assert!(closing.contains("0 of 12") && closing.contains("\n  message file-01 in 1-50MB\n"), "{closing}");
}

#[tokio::test]
async fn a_scaler_that_does_not_even_start_ends_the_demonstration_early() {
    let pass_interval = Duration::from_millis(100);
    let (summary, lines) = run(Demo { scaler: "/bin/false".into(), pass_interval, ..demo() }).await;
    assert!(!summary.is_complete());
    assert_eq!((summary.passes, summary.left.len()), (3, 12), "{}", lines.join("\n"));
    assert!(lines.iter().any(|line| line.contains("pass 3   failed: ")), "{}", lines.join("\n"));
}

#[tokio::test]
async fn a_scaler_that_is_not_there_is_an_error() {
    let error = Demo { scaler: "/nowhere".into(), ..demo() }.run(&Story::new(|_| {})).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[tokio::test]
async fn the_env_file_holds_the_settings_of_a_local_azure_on_its_default_ports() {
    let azure = LocalAzure::start(LocalAzureConfig::default()).await.unwrap();
    let here = azure.resource_manager.endpoint().rsplit_once(':').unwrap().1.to_owned();
    let on_default_ports = |value: String| {
        let value = value.replace(&format!("127.0.0.1:{here}"), &format!("127.0.0.1:{PORT}"));
        let service_bus = format!("127.0.0.1:{}", azure.service_bus.port());
        value.replace(&service_bus, &format!("127.0.0.1:{SERVICE_BUS_PORT}"))
    };
    let mut offered = azure.scaler_environment();
    offered.extend(azure.identity_environment());
    let offered: Vec<_> = offered.into_iter().map(|(name, value)| (name, on_default_ports(value))).collect();
    let env_file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env");
    let mut expected: Vec<_> = dotenvy::from_path_iter(env_file).unwrap().collect::<Result<_, _>>().unwrap();
    expected.sort();
    assert_eq!(offered, expected);
}
