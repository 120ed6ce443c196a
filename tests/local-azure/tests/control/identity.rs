//! Tokens that are revoked, expired or short-lived.

use local_azure::container_groups::{Exit, ExitsAtOnce};
use local_azure::identity::SERVICE_BUS_AUDIENCE;
use serde_json::{Value, json};

use crate::support::Controlled;

impl Controlled {
    async fn token(&self) -> Value {
        let manager = &self.azure.resource_manager;
        let url = format!("{}?api-version=2019-08-01&resource={SERVICE_BUS_AUDIENCE}", manager.identity_endpoint());
        let asked = self.http.get(url).header("X-IDENTITY-HEADER", manager.identity_header());
        asked.send().await.unwrap().json().await.unwrap()
    }

    /// Whether Service Bus accepts a token.
    async fn opens_service_bus(&self, token: &Value) -> bool {
        let url = format!("http://127.0.0.1:{}/files", self.azure.service_bus.port());
        let asked = self.http.get(url).bearer_auth(token["access_token"].as_str().unwrap());
        match asked.send().await.unwrap().status().as_u16() {
            200 => true,
            401 => false,
            status => panic!("{status}"),
        }
    }
}

#[tokio::test]
async fn service_bus_refuses_a_token_that_was_good_before() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    for (path, body) in [
        ("/control/identity/revocation", json!({})),
        ("/control/identity/revocation", json!({ "audience": SERVICE_BUS_AUDIENCE })),
        ("/control/identity/expiry", json!({})),
    ] {
        let token = controlled.token().await;
        assert!(controlled.opens_service_bus(&token).await);
        assert_eq!(controlled.post(path, &body).await.0, 204);
        assert!(!controlled.opens_service_bus(&token).await, "{path}");
    }
    assert!(controlled.opens_service_bus(&controlled.token().await).await);
}

#[tokio::test]
async fn tokens_can_have_less_than_five_minutes_left_and_be_issued_again() {
    let controlled = Controlled::start(ExitsAtOnce(Exit::Code(0))).await;
    let change = json!({ "token_lifetime_seconds": 240, "reuses_tokens": true });
    assert_eq!(controlled.post("/control/identity", &change).await.0, 204);
    let token = controlled.token().await;
    let expires: i64 = token["expires_on"].as_str().unwrap().parse().unwrap();
    assert!(expires - local_azure::clock::now().unix_timestamp() <= 240);
    assert_eq!(controlled.token().await["access_token"], token["access_token"]);
    assert_eq!(controlled.post("/control/identity", &json!({ "lifetime": 1 })).await.0, 400);
}
