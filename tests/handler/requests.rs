//! Whatever a request holds, a pass runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::served::{Served, serve, success, summary};
use local_azure::functions_host::variants::{tick, variants};

/// A handler and how many passes it has run.
async fn counting() -> (Served, Arc<AtomicUsize>) {
    let passes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&passes);
    let served = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(summary()) }
    });
    (served.await, passes)
}

#[tokio::test]
async fn every_form_of_an_invocation_runs_one_pass() {
    let (served, passes) = counting().await;
    for (count, (name, invocation)) in variants().into_iter().enumerate() {
        assert_eq!(served.client.invoke(&invocation, None).await, success(), "{name}, {:?}", invocation.framing);
        assert_eq!(passes.load(Ordering::SeqCst), count + 1, "{name}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_runs_a_pass_all_the_same() {
    let (served, passes) = counting().await;
    let head = "POST /ScaleTimer HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n";
    for request in [
        format!("{head}\r\n"),
        format!("{head}Content-Length: 0\r\n\r\n"),
        format!("{head}Content-Length: 1\r\n\r\n{{"),
        format!("{head}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"),
        format!("{head}Content-Length: 2\r\n\r\n[]"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\n{{\"D\r\n0\r\n\r\n"),
    ] {
        let answer = served.exchange(&request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{request}: {answer}");
    }
    assert_eq!(passes.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_body_beyond_any_size_runs_a_pass_all_the_same() {
    let (served, passes) = counting().await;
    let mut invocation = tick();
    invocation.body["New"] = "x".repeat(3 << 20).into();
    // The answer may come before the host has sent all of it, so that how the host sees it is a matter of luck.
    served.client.invoke(&invocation, None).await;
    assert_eq!(passes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn only_the_function_itself_runs_a_pass() {
    let (served, passes) = counting().await;
    for (method, path, status) in [
        ("GET", "/", 200),
        ("POST", "/", 405),
        ("GET", "/ScaleTimer", 405),
        ("PUT", "/ScaleTimer", 405),
        ("POST", "/scaletimer", 404),
        ("POST", "/ScaleTimer/", 404),
        ("POST", "/api/ScaleTimer", 404),
        ("GET", "/favicon.ico", 404),
    ] {
        assert_eq!(served.status(method, path).await, status, "{method} {path}");
    }
    assert_eq!(passes.load(Ordering::SeqCst), 0);
}
