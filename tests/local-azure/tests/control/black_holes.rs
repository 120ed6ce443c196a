//! Addresses that swallow packets.

use std::net::SocketAddr;
use std::time::Duration;

use local_azure::black_hole::BlackHole;
use local_azure::container_groups::{Exit, ExitsAtOnce};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Controlled, DEADLINE};

/// Long enough to show that there is no connection.
const SILENCE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn whoever_connects_to_a_black_hole_beside_a_good_address_hears_nothing() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let port = controlled.azure.service_bus.port();
    for host in ["127.0.0.2", "[::1]"] {
        let hole = BlackHole::open(format!("{host}:{port}").parse().unwrap()).await.unwrap();
        for _ in 0..3 {
            assert!(timeout(SILENCE, TcpStream::connect(hole.address())).await.is_err(), "{host}");
        }
        timeout(DEADLINE, TcpStream::connect(("127.0.0.1", port))).await.unwrap().unwrap();
        let address = hole.address();
        drop(hole);
        assert!(
            timeout(DEADLINE, TcpStream::connect(address)).await.unwrap().is_err(),
            "it is closed: refused at once"
        );
    }
}

#[tokio::test]
async fn a_black_hole_can_be_asked_for_is_listed_and_ends() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let path = "/control/black-holes";
    let (status, opened) = controlled.post(path, &json!({ "address": "127.0.0.3:0" })).await;
    assert_eq!(status, 201);
    let address: SocketAddr = opened["address"].as_str().unwrap().parse().unwrap();
    assert_eq!(controlled.get(path).await, json!([{ "address": address.to_string() }]));
    assert!(timeout(SILENCE, TcpStream::connect(address)).await.is_err());
    for refused in [json!({ "address": "10.0.0.1:80" }), json!({ "address": "nowhere" }), opened] {
        let (status, refusal): (u16, Value) = controlled.post(path, &refused).await;
        assert_eq!(status, 400, "{refusal}");
    }
    assert_eq!(controlled.send(Method::DELETE, path, None).await.0, 204);
    assert!(timeout(DEADLINE, TcpStream::connect(address)).await.unwrap().is_err());
}
