//! However a pass goes, the host gets an answer that it takes for what it is.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aci_scaler::handler::InvocationFailure;
use local_azure::functions_host::Outcome;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use crate::served::{PASS_DEADLINE, serve, serve_every, success, summary};

/// An invocation by hand.
pub const REQUEST: &str =
    "POST /ScaleTimer HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

fn server_error(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { reason } if reason.ends_with(": 500."))
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_success_is_an_object_of_the_three_members_with_a_length_and_a_type() {
    let answer = serve(|_| async { Ok(summary()) }).await.exchange(REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-type: application/json\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-length: "), "{answer}");
    assert_eq!(body(&answer), json!({ "Outputs": {}, "Logs": ["1 group created"], "ReturnValue": { "created": 1 } }));
}

#[tokio::test]
async fn a_tick_that_comes_too_soon_after_the_last_pass_is_answered_and_makes_none() {
    let passes = Arc::<AtomicUsize>::default();
    let count = passes.clone();
    let served = serve_every(Duration::from_mins(1), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(summary()) }
    })
    .await;
    assert_eq!(served.invoke().await, success());
    let answer = body(&served.exchange(REQUEST).await);
    let line = "no pass: the last one began 0 s ago, and passes are 60 s apart";
    assert_eq!(answer, json!({ "Outputs": {}, "Logs": [line], "ReturnValue": null }));
    assert_eq!(passes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_timer_may_be_early_by_a_moment() {
    let served = serve_every(Duration::from_secs(2), |_| async { Ok(summary()) }).await;
    assert_eq!((served.invoke().await, served.invoke().await), (success(), success()));
}

#[tokio::test]
async fn a_failure_is_a_500_with_its_reason_and_its_causes() {
    let pass = |_| async { Err(InvocationFailure::new(Outer(io::Error::other("the cable is out")))) };
    let answer = serve(pass).await.exchange(REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert_eq!(body(&answer), json!({ "error": "the groups could not be listed: the cable is out" }));
}

#[derive(Debug, thiserror::Error)]
#[error("the groups could not be listed")]
struct Outer(#[source] io::Error);

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_pass_runs() {
    let is_first = AtomicBool::new(true);
    let served = serve(move |_| {
        let is_first = is_first.swap(false, Ordering::SeqCst);
        async move { if is_first { panic!("the first pass") } else { Ok(summary()) } }
    })
    .await;
    assert!(server_error(&served.invoke().await));
    assert_eq!(served.invoke().await, success());
}

#[tokio::test]
async fn two_passes_never_run_at_once_and_the_second_caller_is_answered_at_once() {
    let (started, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (start, go) = (Arc::clone(&started), Arc::clone(&go_on));
    let served = serve(move |_| {
        start.add_permits(1);
        let go = Arc::clone(&go);
        async move {
            go.notified().await;
            Ok(summary())
        }
    })
    .await;
    let second = async {
        started.acquire().await.unwrap().forget();
        assert_eq!(served.invoke().await, Outcome::Succeeded { return_value: Value::Null, logs: Vec::new() });
        assert_eq!(served.status("GET", "/").await, 200, "a health check does not wait for a pass");
        go_on.notify_one();
    };
    let both = async { tokio::join!(served.invoke(), second) };
    let (first, ()) = timeout(Duration::from_secs(20), both).await.expect("the second does not wait for the first");
    assert_eq!(first, success());
    assert_eq!(started.available_permits(), 0, "the second ran none");
}

#[tokio::test]
async fn a_dropped_connection_does_not_cut_a_pass_short() {
    let (progress, mut seen) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let go = Arc::clone(&go_on);
    let served = serve(move |_| {
        let (progress, go) = (progress.clone(), Arc::clone(&go));
        async move {
            progress.send("begun").unwrap();
            go.notified().await;
            progress.send("ended").unwrap();
            Ok(summary())
        }
    })
    .await;
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    assert_eq!(seen.recv().await, Some("begun"));
    drop(stream);
    // Another round trip gives the server time to see that the connection is gone.
    served.status("GET", "/").await;
    go_on.notify_one();
    assert_eq!(timeout(Duration::from_secs(20), seen.recv()).await, Ok(Some("ended")));
}

#[tokio::test(start_paused = true)]
async fn a_pass_is_given_its_deadline_and_ends_by_itself() {
    let served = serve(|deadline| async move {
        assert!(deadline.remaining() <= PASS_DEADLINE);
        deadline.passed().await;
        Ok(summary())
    })
    .await;
    let start = Instant::now();
    assert_eq!(served.invoke().await, success());
    assert_eq!(start.elapsed().as_secs(), PASS_DEADLINE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_ignores_its_deadline_is_cut_off_before_the_host_kills_the_handler() {
    let served = serve(|_| pending()).await;
    let start = Instant::now();
    assert!(server_error(&served.invoke().await));
    assert!(start.elapsed() < Duration::from_secs(280), "{:?}", start.elapsed());
    assert!(server_error(&served.invoke().await), "another pass can begin");
}
