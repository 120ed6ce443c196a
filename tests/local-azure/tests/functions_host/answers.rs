//! The effects of each kind of answer.

use std::time::Duration;

use local_azure::functions_host::{Level, Outcome};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::app::{odd_host, odd_host_with};

/// An answer with a length. Like all answers here, it announces that the connection is closed, so that the host does not reuse
/// it.
fn sized(status: &str, content_type: &str, body: &str) -> String {
    let content_type =
        if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{content_type}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn chunked(content_type: &str, body: &str) -> String {
    let content_type =
        if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    let chunk = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{content_type}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")
}

async fn outcome(answer: &str) -> Outcome {
    odd_host(&[("ODD_ANSWER", answer)]).await.invoke().await
}

/// The lines and the value of an invocation that succeeded.
fn success(outcome: Outcome) -> (Vec<String>, Value) {
    match outcome {
        Outcome::Succeeded { logs, return_value } => (logs, return_value),
        other => panic!("{other:?}"),
    }
}

const JSON: &str = "application/json";

#[tokio::test]
async fn any_object_with_a_status_of_the_two_hundreds_is_a_success() {
    for (status, content_type, body) in [
        ("200 OK", JSON, r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#),
        ("200 OK", JSON, "{}"),
        ("200 OK", "application/json; charset=utf-8", "{}"),
        ("200 OK", "text/json", r#"{"unknown":1,"Outputs":null,"Logs":null}"#),
        ("201 Created", JSON, "{}"),
        ("202 Accepted", JSON, "{}"),
    ] {
        assert_eq!(
            success(outcome(&sized(status, content_type, body)).await),
            (vec![], Value::Null),
            "{status} {body}"
        );
    }
    assert_eq!(success(outcome(&chunked(JSON, r#"{"returnvalue":7}"#)).await).1, json!(7));
}

#[tokio::test]
async fn who_wants_to_know_is_told_how_an_invocation_ended() {
    let (outcomes, mut told) = mpsc::unbounded_channel();
    let answer = sized("200 OK", JSON, r#"{"ReturnValue":7}"#);
    let host = odd_host_with(&[("ODD_ANSWER", &answer)], |config| config.outcomes = Some(outcomes)).await;
    let outcome = host.invoke().await;
    assert_eq!(told.try_recv().unwrap(), outcome);
    drop(host);
    assert!(told.recv().await.is_none(), "nothing else is told, and the end of the host ends it");
}

#[tokio::test]
async fn the_lines_of_a_success_are_logged_and_made_strings() {
    let host = odd_host(&[("ODD_ANSWER", &sized("200 OK", JSON, r#"{"Logs":["one",2,true,null]}"#))]).await;
    assert_eq!(success(host.invoke().await).0, ["one", "2", "True", "[null]"]);
    let records = host.host.records().all();
    let lines: Vec<_> = records.iter().filter(|record| record.category == "Function.ScaleTimer.User").collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.level == Level::Information));
}

#[tokio::test]
async fn an_answer_that_is_no_result_is_a_failure() {
    for answer in [
        sized("200 OK", "text/plain", "done"),
        sized("200 OK", "text/html", "<p>done</p>"),
        sized("200 OK", "", "{}"),
        sized("200 OK", JSON, "{"),
        sized("200 OK", JSON, "[]"),
        sized("200 OK", JSON, "7"),
        sized("200 OK", JSON, r#"{"Outputs":[]}"#),
        sized("200 OK", JSON, r#"{"Logs":"one"}"#),
        sized("200 OK", JSON, r#"{"Logs":[{}]}"#),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x0b\x08".to_owned(),
        chunked("", ""),
    ] {
        let outcome = outcome(&answer).await;
        assert!(matches!(outcome, Outcome::Failed { .. }), "{answer} {outcome:?}");
    }
}

#[tokio::test]
async fn an_error_status_is_a_failure_whose_body_is_lost() {
    for status in ["400 Bad Request", "404 Not Found", "500 Internal Server Error", "503 Service Unavailable"] {
        let host = odd_host(&[("ODD_ANSWER", &sized(status, JSON, r#"{"Logs":["lost"]}"#))]).await;
        let Outcome::Failed { reason } = host.invoke().await else { panic!("{status} is no success") };
        assert_eq!(reason, format!("Response status code does not indicate success: {}.", &status[..3]));
        assert!(!host.host.records().all().iter().any(|record| record.message.contains("lost")));
    }
}

#[tokio::test]
async fn a_redirect_is_followed_with_a_get() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: /done\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let host =
        odd_host(&[("ODD_ANSWER", redirect), ("ODD_GET", &sized("200 OK", JSON, r#"{"ReturnValue":"got"}"#))]).await;
    assert_eq!(success(host.invoke().await).1, json!("got"));
}

#[tokio::test]
async fn a_connection_that_is_dropped_is_a_failure() {
    for answer in
        ["", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "nonsense\r\n\r\n"]
    {
        let outcome = outcome(answer).await;
        assert!(matches!(outcome, Outcome::Failed { .. }), "{answer} {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_empty_or_null_is_waited_out_and_the_handler_killed() {
    let mut hosts = JoinSet::new();
    for answer in [
        sized("200 OK", JSON, "null"),
        sized("200 OK", JSON, " \r\n "),
        sized("200 OK", JSON, ""),
        sized("200 OK", "", ""),
        sized("202 Accepted", "", ""),
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned(),
        chunked(JSON, ""),
        "hang".to_owned(),
    ] {
        hosts.spawn(async move {
            let settings = [("ODD_ANSWER", answer.as_str()), ("AzureFunctionsJobHost__functionTimeout", "00:00:01")];
            let host = odd_host(&settings).await;
            assert_eq!(host.invoke().await, Outcome::TimedOut, "{answer}");
            host.record("Timeout value of 1 s was exceeded").await;
            // It is not counted as an error of the handler, so the next process starts at once.
            let again = timeout(Duration::from_secs(30), host.invoke()).await;
            assert_eq!(again, Ok(Outcome::TimedOut), "{answer}");
            assert_eq!(host.starts(), 2, "{answer}");
        });
    }
    hosts.join_all().await;
}
