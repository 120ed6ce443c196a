//! The handler's process and its output.

use std::time::Duration;

use local_azure::functions_host::{Level, Outcome, ShutdownMode};

use super::app::{odd_host, odd_host_with};

fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { .. })
}

#[tokio::test]
async fn a_handler_that_exits_with_zero_is_never_started_again() {
    let host = odd_host(&[("ODD_EXIT_ON_POST", "0")]).await;
    assert!(is_failure(&host.invoke().await));
    host.record("exited with code 0").await;
    let Outcome::Failed { reason } = host.invoke().await else { panic!("nobody is there to answer") };
    assert!(reason.to_lowercase().contains("connection refused"), "{reason}");
    assert_eq!(host.starts(), 1);
}

#[tokio::test]
async fn a_handler_that_asks_for_a_restart_gets_one_however_often() {
    let host = odd_host(&[("ODD_EXIT_ON_POST", "200")]).await;
    for count in 1..=5 {
        host.started(count).await;
        assert!(is_failure(&host.invoke().await));
    }
    host.started(6).await;
    let records = host.host.records().all();
    assert!(!records.iter().any(|record| record.message.contains("Exceeded http worker restart")), "{records:#?}");
}

#[tokio::test]
async fn the_third_crash_ends_the_host() {
    for how in ["3", "abort"] {
        let host = odd_host(&[("ODD_EXIT_ON_POST", how), ("ODD_STDERR", "one\ntwo\nthree\nfour\n")]).await;
        for count in 1..=3 {
            host.started(count).await;
            assert!(is_failure(&host.invoke().await));
        }
        assert_eq!(host.record("Exceeded http worker restart retry count").await.level, Level::Error);
        let Outcome::Failed { reason } = host.invoke().await else { panic!("{how}: the host is shut down") };
        assert!(reason.contains("Shutting down Functions Host"), "{reason}");
        assert_eq!(host.starts(), 3);
        assert!(
            host.record("Language Worker Process exited").await.message.ends_with("two,three,four"),
            "the last errors"
        );
    }
}

#[tokio::test]
async fn a_handler_that_crashes_at_once_ends_the_host_without_an_invocation() {
    let host = odd_host(&[("ODD_EXIT_AT_START", "1")]).await;
    host.record("Exceeded http worker restart retry count").await;
}

#[tokio::test]
async fn a_handler_that_does_not_listen_in_time_is_an_error_of_the_handler() {
    let limit = ("AzureFunctionsJobHost__customHandler__initializationTimeout", "00:00:00.3");
    let host = odd_host(&[("ODD_DEAF", "1"), limit]).await;
    host.record("was not ready in time").await;
    host.record("Exceeded http worker restart retry count").await;
    assert_eq!(host.starts(), 3);
}

#[tokio::test]
async fn any_answer_to_the_readiness_request_will_do() {
    let head = |status| format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    for answer in [&head("404 Not Found"), &head("500 Internal Server Error"), ""] {
        let host = odd_host(&[("ODD_GET", answer)]).await;
        assert!(matches!(host.invoke().await, Outcome::Succeeded { .. }), "{answer}");
    }
}

#[tokio::test]
async fn a_readiness_request_that_hangs_blocks_the_handler() {
    let limit = ("AzureFunctionsJobHost__customHandler__initializationTimeout", "00:00:00.3");
    let host = odd_host(&[("ODD_GET", "hang"), limit]).await;
    host.record("was not ready in time").await;
}

#[tokio::test]
async fn an_executable_that_cannot_be_started_ends_the_host_at_the_first_invocation_only() {
    let nothing = ("AzureFunctionsJobHost__customHandler__description__defaultExecutablePath", "no-such-program");
    let host = odd_host_with(&[nothing], |config| config.dispatch_limit = Duration::from_millis(200)).await;
    host.record("Failed to start Worker Channel. Process fileName: no-such-program").await;
    let Outcome::Failed { reason } = host.invoke().await else { panic!("there is no handler") };
    assert!(reason.contains("Initialization timed out and host is shutting down"), "{reason}");
}

#[tokio::test]
async fn a_line_has_the_level_of_its_stream_and_its_words() {
    let out = "an error on stdout\nLanguageWorkerConsoleLogfor the system\nazfuncjsonlog:{}\n";
    let err = "plain\nsome WARNing\nLanguageWorkerConsoleLogtrouble\n";
    let host = odd_host(&[("ODD_STDOUT", out), ("ODD_STDERR", err)]).await;
    for (text, level, category) in [
        ("an error on stdout", Level::Information, "Host.Function.Console"),
        ("for the system", Level::Information, "Worker.HttpWorkerProcess."),
        ("{}", Level::Information, "Tooling"),
        ("plain", Level::Error, "Host.Function.Console"),
        ("some WARNing", Level::Warning, "Host.Function.Console"),
        ("trouble", Level::Error, "Worker.HttpWorkerProcess."),
    ] {
        let record = host.record(text).await;
        assert_eq!((record.message.as_str(), record.level), (text, level));
        assert!(record.category.starts_with(category), "{record}");
    }
}

#[tokio::test]
async fn an_app_can_have_its_errors_told_by_their_words() {
    let mode = ("AzureFunctionsJobHost__customHandler__description__useStdErrorStreamForErrorsOnly", "false");
    let host = odd_host(&[mode, ("ODD_STDERR", "plain\nit failed\n")]).await;
    assert_eq!(host.record("plain").await.level, Level::Information);
    assert_eq!(host.record("it failed").await.level, Level::Error);
}

#[tokio::test]
async fn a_host_that_stops_kills_its_handler() {
    for mode in [ShutdownMode::Kill, ShutdownMode::CoreTools] {
        let host = odd_host_with(&[], |config| config.shutdown = mode).await;
        assert!(matches!(host.invoke().await, Outcome::Succeeded { .. }));
        let records = host.host.records().clone();
        host.host.stop().await;
        let interrupted = records.all().iter().any(|record| record.message.contains("ended after an interrupt"));
        assert_eq!(interrupted, mode == ShutdownMode::CoreTools);
        assert!(records.all().last().unwrap().message.contains("The host is shut down"));
    }
}
