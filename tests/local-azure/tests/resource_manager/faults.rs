//! Faults of requests, and the log of all requests.

use std::pin::Pin;
use std::time::Duration;

use local_azure::clock;
use local_azure::container_groups::{GroupSelector, TagChange};
use local_azure::resource_manager::{Answer, Fault, OperationKind, Operations};
use reqwest::Method;
use serde_json::json;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use tokio::time::{Instant, timeout};

use crate::support::{API, Azure, DEADLINE, GROUPS, Reply, group, group_path, group_with};

#[tokio::test]
async fn a_fault_answers_as_often_as_it_was_told_and_before_any_effect() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::times(2, OperationKind::PutGroup).named("w-1").answers(Answer::quota_reached()));
    for (name, status) in [("w-1", 400), ("w-2", 201), ("w-1", 400), ("w-1", 201)] {
        assert_eq!(azure.put(name, &group()).await.status, status, "{name}");
    }
    assert_eq!(azure.manager.container_groups().accepted_puts().len(), 2);
}

#[tokio::test]
async fn a_fault_that_is_always_there_ends_when_it_is_cleared() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::always(OperationKind::ListGroups).answers(Answer::forbidden("read")));
    let list = format!("{GROUPS}?{API}");
    for _ in 0..3 {
        assert_eq!(azure.get(&list).await.code(), (403, "AuthorizationFailed"));
    }
    azure.manager.clear_faults();
    assert_eq!(azure.get(&list).await.status, 200);
}

#[tokio::test]
async fn throttling_says_how_long_to_wait() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::once(OperationKind::GetGroup).answers(Answer::throttled(Duration::from_secs(7))));
    let reply = azure.show("w-1").await;
    assert_eq!((reply.code(), reply.header("retry-after")), ((429, "SubscriptionRequestsThrottled"), "7"));
}

#[tokio::test]
async fn an_accepted_delete_can_be_answered_with_202() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
    azure.manager.inject(Fault::once(OperationKind::DeleteGroup).after_effect().answers(Answer::empty(202)));
    assert_eq!(azure.delete("w-1").await.status, 202);
    assert_eq!(azure.show("w-1").await.status, 404);
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_effect() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::once(OperationKind::PutGroup).named("w-1").resets());
    azure.manager.inject(Fault::once(OperationKind::PutGroup).named("w-2").after_effect().resets());
    for name in ["w-1", "w-2"] {
        let error = azure.send(Method::PUT, &group_path(name), Some(&group())).await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    }
    assert_eq!(azure.show("w-1").await.status, 404);
    assert_eq!(azure.show("w-2").await.status, 200);
    assert_eq!(azure.manager.calls()[1].status, None);
}

#[tokio::test]
async fn garbage_is_a_success_that_is_no_json() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::once(OperationKind::ListGroups).answers(Answer::garbage()));
    let reply = azure.get(&format!("{GROUPS}?{API}")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.is_string(), "{}", reply.body);
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_after_the_effect() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::once(OperationKind::PutGroup).truncates());
    let error = azure.send(Method::PUT, &group_path("w-1"), Some(&group())).await.unwrap_err();
    assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
    assert_eq!(azure.show("w-1").await.status, 200);
    assert_eq!(azure.manager.calls()[0].status, Some(201));
}

#[tokio::test]
async fn a_delay_comes_on_top_of_what_else_happens() {
    let azure = Azure::start().await;
    let delay = Duration::from_millis(50);
    azure.manager.inject(Fault::always(OperationKind::GetGroup).delays(delay));
    azure.manager.inject(Fault::once(OperationKind::GetGroup).answers(Answer::service_unavailable()));
    let start = Instant::now();
    assert_eq!(azure.show("w-1").await.code(), (409, "ServiceUnavailable"));
    assert_eq!(azure.show("w-1").await.status, 404);
    assert!(start.elapsed() >= 2 * delay);
}

#[tokio::test]
async fn a_request_that_hangs_ends_with_the_service() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::once(OperationKind::GetGroup).hangs());
    let path = group_path("w-1");
    let hanging = azure.send(Method::GET, &path, None);
    let stop = async {
        while azure.manager.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        azure.manager.stop().await;
    };
    let (reply, ()) = timeout(DEADLINE, async { tokio::join!(hanging, stop) }).await.unwrap();
    assert!(reply.is_err());
    assert!(azure.send(Method::GET, &path, None).await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_token_can_be_refused_too() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::once(OperationKind::GetToken).answers(Answer::empty(503)));
    assert_eq!(azure.get("/msi/token").await.status, 503);
    assert_eq!(azure.get("/msi/token").await.status, 401);
}

#[tokio::test]
async fn all_requests_are_logged_in_order_with_their_bodies_and_answers() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.show("w-2").await;
    azure.get("/nothing").await;
    let calls = azure.manager.calls();
    let kinds: Vec<_> = calls.iter().map(|call| (call.kind, call.name.as_deref(), call.status)).collect();
    assert_eq!(
        kinds,
        [
            (OperationKind::PutGroup, Some("w-1"), Some(201)),
            (OperationKind::GetGroup, Some("w-2"), Some(404)),
            (OperationKind::Unknown, None, Some(404)),
        ]
    );
    assert_eq!(calls[0].body, serde_json::to_vec(&group()).unwrap());
    assert_eq!(calls[0].uri, group_path("w-1"));
    azure.manager.forget_calls();
    assert_eq!(azure.manager.calls(), []);
}

#[tokio::test]
async fn requests_under_way_at_once_are_counted_by_kind() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::always(OperationKind::PutGroup).hangs());
    let group = group();
    let all_there = async {
        while azure.manager.calls().len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    let puts = async { tokio::join!(azure.put("w-1", &group), azure.put("w-2", &group), azure.put("w-3", &group)) };
    tokio::select! {
        replies = puts => panic!("{replies:?}"),
        there = timeout(DEADLINE, all_there) => there.unwrap(),
    }
    assert_eq!(azure.manager.most_at_once(OperationKind::PutGroup), 3);
    assert_eq!(azure.manager.most_at_once(OperationKind::GetGroup), 0);
}

#[tokio::test]
async fn any_error_can_be_answered_to_any_operation_on_the_group_of_one_message() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.put("w-2", &group_with("/tags/message_id", json!("m2"))).await;
    azure.until_terminated("w-1").await;
    azure.until_terminated("w-2").await;
    let tagless = TagChange::DropAll;
    azure.manager.container_groups().remediate(&tagless, &GroupSelector::default());
    let locked = Answer::error(409, "ScopeLocked", "The scope cannot perform write operation because it is locked.");
    azure.manager.inject(Fault::always(Operations::Any).of_message("m1").answers(locked));
    for (method, body) in [
        (Method::GET, None),
        (Method::PUT, Some(group())),
        (Method::PATCH, Some(json!({ "tags": {} }))),
        (Method::DELETE, None),
    ] {
        let refused = azure.send(method.clone(), &group_path("w-1"), body.as_ref()).await.unwrap();
        assert_eq!(refused.code(), (409, "ScopeLocked"), "{method}");
    }
    assert_eq!(azure.logs("w-1", "").await.code(), (409, "ScopeLocked"));
    assert_eq!(azure.logs("w-2", "").await.status, 200);
    assert_eq!(azure.put("w-3", &group_with("/tags/message_id", json!("m3"))).await.status, 201);
    let list = azure.get(&format!("{GROUPS}?{API}")).await;
    assert_eq!((list.status, list.body["value"].as_array().unwrap().len()), (200, 3));
}

#[tokio::test]
async fn one_resource_can_say_to_come_again_in_an_hour() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.put("w-2", &group()).await;
    let busy = Answer::error(503, "ServiceUnavailable", "Try later.").retry_after(Duration::from_hours(1));
    azure.manager.inject(Fault::always(OperationKind::GetGroup).named("w-1").answers(busy));
    let reply = azure.show("w-1").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "3600"));
    assert_eq!(azure.show("w-2").await.status, 200);
}

#[tokio::test]
async fn a_json_body_can_begin_with_a_byte_order_mark() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::always(Operations::Any).marks_byte_order());
    azure.manager.inject(Fault::once(OperationKind::PutGroup).answers(Answer::quota_reached()));
    for expected in ["{\"error\"", "{\"id\""] {
        let put = azure.put("w-1", &group()).await;
        let text = put.body.as_str().expect("it is no JSON any more");
        assert!(text.strip_prefix('\u{feff}').unwrap().starts_with(expected), "{text}");
    }
    azure.manager.clear_faults();
    assert!(azure.show("w-1").await.body.is_object());
}

#[tokio::test]
async fn the_date_of_answers_can_be_off() {
    let azure = Azure::start().await;
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let date = async || {
        let reply = azure.show("w-1").await;
        PrimitiveDateTime::parse(reply.header("date"), format).unwrap().assume_utc()
    };
    let is_near =
        |date: OffsetDateTime, by: time::Duration| (date - by - clock::now()).abs() < time::Duration::seconds(10);
    assert!(is_near(date().await, time::Duration::ZERO));
    for hours in [-1, 2] {
        azure.manager.clear_faults();
        azure.manager.inject(Fault::always(Operations::Any).shifts_date(time::Duration::hours(hours)));
        assert!(is_near(date().await, time::Duration::hours(hours)), "{hours}");
    }
}

#[tokio::test]
async fn requests_can_take_as_long_as_recorded_ones() {
    let azure = Azure::start().await;
    azure.manager.inject(Fault::always(Operations::Any).takes_as_long_as_recorded());
    let list = format!("{GROUPS}?{API}");
    let timed = async |request: Pin<Box<dyn Future<Output = Reply>>>| {
        let start = Instant::now();
        request.await;
        start.elapsed()
    };
    let asked = group();
    let (get, list, put, delete) = tokio::join!(
        timed(Box::pin(azure.show("w-1"))),
        timed(Box::pin(azure.get(&list))),
        timed(Box::pin(azure.put("w-1", &asked))),
        timed(Box::pin(azure.delete("w-2"))),
    );
    for (took, least) in [(get, 300), (list, 500), (put, 4000), (delete, 4000)] {
        let least = Duration::from_millis(least);
        assert!(took >= least && took < least + DEADLINE, "{took:?} {least:?}");
    }
}

#[tokio::test]
async fn what_is_accepted_can_come_to_nothing() {
    let azure = Azure::start().await;
    for status in [201, 202] {
        azure.manager.inject(Fault::once(OperationKind::PutGroup).pretends(status));
        let put = azure.put("w-1", &group()).await;
        assert_eq!((put.status, &put.body["name"]), (status, &json!("w-1")));
        assert_eq!(put.body["properties"]["provisioningState"], "Pending");
        assert_eq!(azure.show("w-1").await.status, 404);
        assert_eq!(azure.get(put.header("azure-asyncoperation")).await.status, 404);
    }
    assert_eq!(azure.manager.container_groups().accepted_puts(), []);
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
    azure.manager.inject(Fault::once(OperationKind::DeleteGroup).pretends(202));
    assert_eq!(azure.delete("w-1").await.status, 202);
    azure.manager.inject(Fault::once(OperationKind::PatchGroup).pretends(200));
    let tags = json!({ "tags": { "new": "tag" } });
    let patched = azure.send(Method::PATCH, &group_path("w-1"), Some(&tags)).await.unwrap();
    assert_eq!((patched.status, &patched.body["tags"]), (200, &json!({ "new": "tag" })));
    assert_eq!(azure.show("w-1").await.body["tags"], group()["tags"]);
}
