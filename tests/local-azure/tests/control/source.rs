//! Who may use the control API: any program on this machine, and no page from elsewhere.

use local_azure::container_groups::{Exit, ExitsAtOnce};
use serde_json::json;

use crate::support::Controlled;

async fn status(controlled: &Controlled, headers: &[(&str, &str)]) -> u16 {
    let mut request = controlled.http.post(controlled.url("/control/messages"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(json!({ "size_mb": 1 }).to_string()).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_host_that_is_not_the_loopback_is_refused() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    for host in ["127.0.0.1:7072", "localhost", "localhost:7072", "[::1]:7072"] {
        assert_eq!(status(&controlled, &[("host", host)]).await, 201, "{host}");
    }
    for host in ["example.com", "127.0.0.1.example.com:7072", "localhost.example.com", "10.0.0.1", "[::2]:7072", ""] {
        assert_eq!(status(&controlled, &[("host", host)]).await, 403, "{host}");
    }
    for path in ["/", "/control/state", "/control/nothing"] {
        let request = controlled.http.get(controlled.url(path)).header("host", "example.com");
        assert_eq!(request.send().await.unwrap().status(), 403, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_change_nothing() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let own = controlled.url("");
    assert_eq!(status(&controlled, &[("origin", &own)]).await, 201);
    for origin in ["http://example.com", "null", "http://127.0.0.1:1", "https://localhost"] {
        assert_eq!(status(&controlled, &[("origin", origin)]).await, 403, "{origin}");
    }
    let answer = controlled.http.get(controlled.url("/control/state")).header("origin", "http://example.com");
    assert!(answer.send().await.unwrap().headers().get("access-control-allow-origin").is_none());
}
