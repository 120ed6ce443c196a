//! A shutdown ends the pass in hand, in time.

use std::future::pending;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aci_scaler::handler::{SHUTDOWN_LIMIT, Signal, Signals};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::answers::REQUEST;
use local_azure::functions_host::variants::tick;

use crate::logs::{log, messages};
use crate::served::{serve, success, summary};

#[tokio::test]
async fn an_idle_handler_ends_at_once_even_with_the_hosts_connection_open() {
    let served = serve(|_| async { Ok(summary()) }).await;
    assert_eq!(served.invoke().await, success());
    let (client, closed) = (served.client.clone(), Arc::clone(&served.closed));
    assert_eq!(closed.load(Ordering::SeqCst), 0, "there may be another pass");
    let ended = timeout(Duration::from_secs(4), served.shut_down()).await.expect("no pass is waited for");
    assert_eq!(ended.unwrap().unwrap(), "told to");
    assert_eq!(closed.load(Ordering::SeqCst), 1);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn the_pass_in_hand_is_told_to_end_and_its_answer_is_sent() {
    let begun = Arc::new(Notify::new());
    let notify = Arc::clone(&begun);
    let served = serve(move |deadline| {
        notify.notify_one();
        async move {
            deadline.passed().await;
            Ok(summary())
        }
    })
    .await;
    let (client, closed) = (served.client.clone(), Arc::clone(&served.closed));
    let invoked = tokio::spawn(async move { client.invoke(&tick(), None).await });
    begun.notified().await;
    let start = Instant::now();
    assert_eq!(served.shut_down().await.unwrap().unwrap(), "told to");
    assert!(start.elapsed() < SHUTDOWN_LIMIT, "{:?}", start.elapsed());
    assert_eq!(invoked.await.unwrap(), success());
    assert_eq!(closed.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_pass_in_hand_is_waited_for_even_if_its_caller_is_gone() {
    let (begun, has_ended) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (notify, ended) = (Arc::clone(&begun), Arc::clone(&has_ended));
    let served = serve(move |deadline| {
        notify.notify_one();
        let ended = Arc::clone(&ended);
        async move {
            deadline.passed().await;
            ended.store(true, Ordering::SeqCst);
            Ok(summary())
        }
    })
    .await;
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    begun.notified().await;
    drop(stream);
    served.shut_down().await.unwrap().unwrap();
    assert!(has_ended.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_does_not_end_is_cut_off() {
    let begun = Arc::new(Notify::new());
    let notify = Arc::clone(&begun);
    let served = serve(move |_| {
        notify.notify_one();
        pending()
    })
    .await;
    let client = served.client.clone();
    tokio::spawn(async move { client.invoke(&tick(), None).await });
    begun.notified().await;
    let (log, _guard) = log();
    let start = Instant::now();
    assert_eq!(served.shut_down().await.unwrap().unwrap(), "told to");
    assert_eq!(start.elapsed().as_secs(), SHUTDOWN_LIMIT.as_secs());
    let lines = log.lines();
    let expected = "the shutdown cut off a pass; the next pass goes on from there";
    assert_eq!(messages(&lines), [expected]);
}

/// What is sent of an invocation that never comes to its end.
const HALF: &str = "POST /ScaleTimer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{";

#[tokio::test(start_paused = true)]
async fn half_a_request_is_cut_off_after_a_moment_and_what_passes_left_is_closed_all_the_same() {
    let (log, _guard) = log();
    let served = serve(|_| async { Ok(summary()) }).await;
    let mut held = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    held.write_all(HALF.as_bytes()).await.unwrap();
    assert_eq!(served.invoke().await, success());
    let closed = Arc::clone(&served.closed);
    let start = Instant::now();
    served.shut_down().await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(closed.load(Ordering::SeqCst), 1);
    let lines = log.lines();
    let expected = "the shutdown cut off no pass, but connections of the Functions host with unfinished requests";
    assert_eq!(messages(&lines), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_ends_in_time_is_not_blamed_for_half_a_request_and_has_its_answer_sent() {
    let (log, _guard) = log();
    let begun = Arc::new(Notify::new());
    let notify = Arc::clone(&begun);
    let served = serve(move |deadline| {
        notify.notify_one();
        async move {
            deadline.passed().await;
            Ok(summary())
        }
    })
    .await;
    let mut held = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    held.write_all(HALF.as_bytes()).await.unwrap();
    let client = served.client.clone();
    let invoked = tokio::spawn(async move { client.invoke(&tick(), None).await });
    begun.notified().await;
    let start = Instant::now();
    served.shut_down().await.unwrap().unwrap();
    assert!(start.elapsed() <= SHUTDOWN_LIMIT, "{:?}", start.elapsed());
    assert_eq!(invoked.await.unwrap(), success());
    let lines = log.lines();
    assert!(messages(&lines)[0].starts_with("the shutdown cut off no pass"), "{lines:?}");
}

#[tokio::test]
async fn signals_are_told_apart_and_none_makes_the_process_exit_with_zero() {
    for (name, signal, exit_code) in [("-INT", Signal::Interrupt, 130), ("-TERM", Signal::Terminate, 143)] {
        let mut signals = Signals::listen().unwrap();
        let pid = std::process::id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        let received = timeout(Duration::from_secs(20), signals.received()).await;
        assert_eq!(received, Ok(signal));
        assert_eq!(signal.exit_code(), exit_code);
    }
}
