//! The endpoints for people and deployments.

use local_azure::functions_host::FunctionsHost;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::app::{SOON, odd_host};

async fn post(host: &FunctionsHost, function: &str, body: &'static str) -> StatusCode {
    let url = format!("http://{}/admin/functions/{function}", host.admin_address());
    Client::new().post(url).header("Content-Type", "application/json").body(body).send().await.unwrap().status()
}

#[tokio::test]
async fn a_run_by_hand_is_accepted_at_once_and_its_end_is_in_the_log() {
    let odd = odd_host(&[]).await;
    assert_eq!(post(&odd.host, "ScaleTimer", "{}").await, StatusCode::ACCEPTED);
    odd.record("This function was programmatically called via the host APIs.").await;
    odd.record("Executed 'Functions.ScaleTimer' (Succeeded").await;
}

#[tokio::test]
async fn an_input_becomes_metadata() {
    let odd = odd_host(&[]).await;
    assert_eq!(post(&odd.host, "ScaleTimer", r#"{"input":"now"}"#).await, StatusCode::ACCEPTED);
    let echo = odd.host.records().find("echo of the body", SOON).await.unwrap().message;
    let body: Value = serde_json::from_str(echo.split_once(": ").unwrap().1).unwrap();
    assert_eq!(body["Metadata"]["timer"], "\"now\"");
}

#[tokio::test]
async fn a_body_that_is_empty_and_a_function_that_does_not_exist_are_refused() {
    let odd = odd_host(&[]).await;
    assert_eq!(post(&odd.host, "ScaleTimer", "").await, StatusCode::BAD_REQUEST);
    assert_eq!(post(&odd.host, "Other", "{}").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_host_tells_whether_it_runs() {
    let odd = odd_host(&[("ODD_EXIT_AT_START", "1")]).await;
    odd.record("The host is shut down").await;
    let url = format!("http://{}/admin/host/status", odd.host.admin_address());
    let status: Value = Client::new().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(status["state"], "Error");
}
