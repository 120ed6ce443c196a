//! A shutdown ends the pass in hand, in time.

use std::future::pending;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aci_scaler::handler::{SHUTDOWN_LIMIT, Signal, Signals};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::served::{serve, success, summary, tick};

#[tokio::test]
async fn an_idle_handler_ends_at_once_even_with_the_hosts_connection_open() {
    let served = serve(|_| async { Ok(summary()) }).await;
    assert_eq!(served.invoke().await, success());
    let (client, port) = (served.client.clone(), served.port);
    let ended = timeout(Duration::from_secs(4), served.shut_down()).await.expect("no pass is waited for");
    assert_eq!(ended.unwrap().unwrap(), "told to");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
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
    let client = served.client.clone();
    let invoked = tokio::spawn(async move { client.invoke(&tick(), None).await });
    begun.notified().await;
    let start = Instant::now();
    assert_eq!(served.shut_down().await.unwrap().unwrap(), "told to");
    assert!(start.elapsed() < SHUTDOWN_LIMIT, "{:?}", start.elapsed());
    assert_eq!(invoked.await.unwrap(), success());
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
    let start = Instant::now();
    assert_eq!(served.shut_down().await.unwrap().unwrap(), "told to");
    assert_eq!(start.elapsed().as_secs(), SHUTDOWN_LIMIT.as_secs());
}

#[tokio::test]
async fn signals_are_told_apart_and_none_makes_the_process_exit_with_zero() {
    for (name, signal, exit_code) in [("-INT", Signal::Interrupt, 130), ("-TERM", Signal::Terminate, 143)] {
        let signals = Signals::listen().unwrap();
        let pid = std::process::id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        let received = timeout(Duration::from_secs(20), signals.received()).await;
        assert_eq!(received, Ok(signal));
        assert_eq!(signal.exit_code(), exit_code);
    }
}
