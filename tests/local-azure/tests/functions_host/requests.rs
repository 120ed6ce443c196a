//! The requests that a handler gets.

use std::collections::BTreeMap;

use local_azure::functions_host::{Framing, FunctionsHost, HostConfig, Outcome};
use serde_json::{Value, json};

use super::app::{OddHost, odd_host, odd_host_with, odd_settings, timer_app};

async fn request(host: &OddHost) -> Value {
    match host.invoke().await {
        Outcome::Succeeded { return_value, .. } => return_value,
        other => panic!("{other:?}"),
    }
}

fn headers(request: &Value) -> BTreeMap<&str, &str> {
    let headers = request["headers"].as_array().unwrap().iter();
    headers.filter_map(|header| header.as_str()?.split_once(": ")).collect()
}

#[tokio::test]
async fn a_run_by_hand_is_a_post_to_the_functions_name_with_the_hosts_headers() {
    let host = odd_host(&[]).await;
    let invocation = host.invocation().await;
    let Outcome::Succeeded { return_value: request, .. } = host.host.invoke(&invocation).await else { panic!() };
    assert_eq!(request["line"], "POST /ScaleTimer HTTP/1.1");
    let headers = headers(&request);
    assert_eq!(headers["x-azure-functions-invocationid"], invocation.id.to_string());
    assert_eq!(headers["x-azure-functions-hostversion"], "4.1052.200.1");
    assert_eq!(headers["user-agent"], "azure-functions-host/4.1052.200.1");
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["traceparent"], invocation.traceparent.unwrap());
    for absent in ["accept-encoding", "expect", "cookie", "authorization"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn a_body_is_chunked_as_in_azure_or_sized_as_under_core_tools() {
    let in_azure = odd_host(&[]).await;
    let request_in_azure = request(&in_azure).await;
    assert_eq!(headers(&request_in_azure)["transfer-encoding"], "chunked");
    assert!(!headers(&request_in_azure).contains_key("content-length"));

    let core_tools = odd_host_with(&[], |config| config.framing = Framing::Sized).await;
    let request = request(&core_tools).await;
    assert_eq!(headers(&request)["content-length"], request["body"].as_str().unwrap().len().to_string());
    assert!(!headers(&request).contains_key("transfer-encoding"));
}

#[tokio::test]
async fn the_body_holds_the_timer_under_its_bindings_name() {
    let request = request(&odd_host(&[]).await).await;
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    let timer = json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": null, "IsPastDue": false });
    assert_eq!(body["Data"], json!({ "timer": timer }));
    assert_eq!(body["Metadata"]["sys"]["MethodName"], "ScaleTimer");
}

#[tokio::test]
async fn a_function_that_does_not_exist_cannot_be_invoked() {
    assert!(odd_host(&[]).await.host.invocation("scaletimer").await.is_none());
}

#[tokio::test]
async fn two_hosts_of_one_app_live_side_by_side() {
    let hosts = [odd_host(&[]).await, odd_host(&[]).await];
    for host in &hosts {
        request(host).await;
    }
}

#[tokio::test]
async fn an_app_without_a_function_that_can_run_starts_no_handler_and_says_why() {
    let (app, state) = (timer_app(&json!({ "schedule": "%UNSET%" })), tempfile::tempdir().unwrap());
    let host = FunctionsHost::start(HostConfig::new(app.path(), odd_settings(&[]), state.path())).await.unwrap();
    assert!(host.invocation("Tick").await.is_none());
    let records = host.records().all();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].message, "The 'Tick' function is in error: %UNSET% does not resolve to a value");
    host.stop().await;
}
