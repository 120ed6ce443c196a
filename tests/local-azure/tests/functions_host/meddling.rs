//! What no real host does to a handler.

use std::time::Duration;

use local_azure::functions_host::{Half, Level, Outcome, Reading, Streams};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::app::{OddHost, SOON, odd_host, odd_host_with};

/// Long enough to show that something does not happen.
const SILENCE: Duration = Duration::from_millis(300);

/// More than a pipe holds.
fn much() -> String {
    "a line that fills the pipe\n".repeat(4_000)
}

fn succeeded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Succeeded { .. })
}

#[tokio::test]
async fn a_reader_that_reads_no_more_blocks_the_handler_until_it_reads_again() {
    for streams in [
        Streams { stdout: Reading::Stalls, ..Streams::default() },
        Streams { stderr: Reading::Stalls, ..Streams::default() },
    ] {
        let printed = much();
        let variable = if streams.stdout == Reading::Stalls { "ODD_STDOUT" } else { "ODD_STDERR" };
        let host = odd_host_with(&[(variable, &printed)], |config| config.streams = streams).await;
        let mut invocation = Box::pin(host.invoke());
        assert!(timeout(SILENCE, &mut invocation).await.is_err(), "{streams:?}");
        host.host.set_streams(Streams::default());
        assert!(succeeded(&timeout(SOON, invocation).await.unwrap()), "{streams:?}");
        let lines = host.host.records().all();
        let lines = lines.iter().filter(|record| record.message == "a line that fills the pipe");
        assert_eq!(lines.count(), 4_000, "nothing is lost");
    }
}

#[tokio::test]
async fn writing_to_a_stream_that_nobody_reads_fails() {
    let closed = Streams { stdout: Reading::Closes, ..Streams::default() };
    let host = odd_host_with(&[("ODD_STDOUT", &much())], |config| config.streams = closed).await;
    assert!(host.record("Language Worker Process exited").await.message.contains("Broken pipe"));
}

#[tokio::test]
async fn writing_to_a_full_disk_fails() {
    let full = Streams { stdout: Reading::DiskFull, ..Streams::default() };
    let host = odd_host_with(&[], |config| config.streams = full).await;
    assert!(host.record("Language Worker Process exited").await.message.contains("No space left on device"));
}

#[tokio::test]
async fn a_stream_can_be_closed_under_a_handler_that_works() {
    let host = odd_host(&[]).await;
    assert!(succeeded(&host.invoke().await));
    host.host.set_streams(Streams { stdout: Reading::Closes, stderr: Reading::Closes });
    assert!(succeeded(&host.invoke().await), "it prints nothing more");
}

#[tokio::test]
async fn a_suspended_handler_does_nothing_until_it_goes_on() {
    let host = odd_host(&[]).await;
    assert!(succeeded(&host.invoke().await));
    assert!(host.host.suspend());
    let mut invocation = Box::pin(host.invoke());
    assert!(timeout(SILENCE, &mut invocation).await.is_err());
    assert!(host.host.resume());
    assert!(succeeded(&timeout(SOON, invocation).await.unwrap()));
}

#[tokio::test]
async fn a_suspended_handler_is_killed_all_the_same() {
    let host = odd_host(&[]).await;
    assert!(succeeded(&host.invoke().await));
    host.host.suspend();
    timeout(SOON, host.host.stop()).await.unwrap();
}

#[tokio::test]
async fn a_handler_that_has_exited_cannot_be_suspended() {
    let host = odd_host(&[("ODD_EXIT_ON_POST", "0")]).await;
    assert!(!succeeded(&host.invoke().await));
    host.record("exited with code 0").await;
    assert!(!host.host.suspend());
    assert!(!host.host.resume());
}

#[tokio::test]
async fn half_a_request_is_held_open_beside_whole_ones() {
    let host = odd_host(&[]).await;
    assert!(succeeded(&host.invoke().await));
    for half in [Half::Connection, Half::Headers, Half::Body] {
        let mut held = host.host.half_request("ScaleTimer", half).await.unwrap();
        assert!(timeout(SILENCE, held.ended()).await.is_err(), "{half:?}");
        assert!(succeeded(&host.invoke().await), "{half:?}");
    }
    let mut held = host.host.half_request("ScaleTimer", Half::Body).await.unwrap();
    host.host.stop().await;
    // A reset is an end too.
    assert_eq!(timeout(SOON, held.ended()).await.unwrap().unwrap_or_default(), b"");
}

async fn control(host: &OddHost, method: Method, path: &str, body: &Value) -> u16 {
    let client = Client::builder().no_proxy().timeout(SOON).build().unwrap();
    let url = format!("http://{}/control/handler/{path}", host.host.admin_address());
    client.request(method, url).body(body.to_string()).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn all_of_it_can_be_asked_for_over_http() {
    let host = odd_host(&[]).await;
    assert!(succeeded(&host.invoke().await));
    let half = json!({ "function": "ScaleTimer", "sent": "headers" });
    for (method, path, body, status) in [
        (Method::PUT, "streams", json!({ "stdout": "stalls" }), 204),
        (Method::PUT, "streams", json!({ "stdin": "stalls" }), 400),
        (Method::PUT, "streams", json!({}), 204),
        (Method::POST, "half-requests", half, 201),
        (Method::DELETE, "half-requests", json!(null), 204),
        (Method::POST, "half-requests", json!({ "function": "ScaleTimer", "sent": "all" }), 400),
        (Method::PUT, "suspension", json!(null), 204),
    ] {
        assert_eq!(control(&host, method.clone(), path, &body).await, status, "{method} {path} {body}");
    }
    let mut invocation = Box::pin(host.invoke());
    assert!(timeout(SILENCE, &mut invocation).await.is_err());
    assert_eq!(control(&host, Method::DELETE, "suspension", &json!(null)).await, 204);
    assert!(succeeded(&timeout(SOON, invocation).await.unwrap()));
    assert!(host.host.records().all().iter().all(|record| record.level != Level::Error));
}

#[tokio::test]
async fn a_page_of_another_origin_may_do_nothing_to_a_handler() {
    let host = odd_host(&[]).await;
    let client = Client::builder().no_proxy().timeout(SOON).build().unwrap();
    let url = format!("http://{}/control/handler/suspension", host.host.admin_address());
    let refused = client.put(url).header("origin", "http://example.com").send().await.unwrap();
    assert_eq!(refused.status(), 403);
}
