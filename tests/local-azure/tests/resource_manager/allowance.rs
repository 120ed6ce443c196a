//! Limits on creates and deletes. Refused requests count too.

use local_azure::container_groups::{Exit, ExitsWhenTold};
use local_azure::resource_manager::{Answer, Fault, OperationKind, RateLimit, ResourceManagerConfig};
use serde_json::json;

use crate::support::{Azure, Reply, group, group_with};

const LIMIT: RateLimit = RateLimit { per_5_minutes: 4, per_hour: 10 };

async fn azure() -> Azure {
    let mut config = ResourceManagerConfig { rate_limit: LIMIT, ..Default::default() };
    config.container_groups.worker = std::sync::Arc::new(ExitsWhenTold::new(Exit::Code(0)));
    Azure::with(config).await
}

fn left(reply: &Reply) -> (&str, &str) {
    let left =
        |window: &str| reply.header(&format!("x-ms-ratelimit-remaining-subscription-resource-requests-{window}"));
    (left("pt5m"), left("pt1h"))
}

#[tokio::test]
async fn a_refused_create_says_what_is_left_and_takes_from_what_deletes_need() {
    let azure = azure().await;
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    for (number, status) in [(2, 409), (3, 500), (4, 400)] {
        let refusal = Answer::error(status, "Anything", "at all");
        azure.manager.inject(Fault::once(OperationKind::PutGroup).answers(refusal));
        let refused = azure.put("w-2", &group()).await;
        let expected = ((4 - number).to_string(), (10 - number).to_string());
        assert_eq!((refused.status, left(&refused)), (status, (expected.0.as_str(), expected.1.as_str())));
    }
    let delete = azure.delete("w-1").await;
    assert_eq!((delete.code(), left(&delete)), ((429, "TooManyRequests"), ("0", "6")));
    azure.manager.inject(Fault::always(OperationKind::PutGroup).answers(Answer::error(409, "Anything", "at all")));
    assert_eq!(azure.put("w-2", &group()).await.status, 429, "nothing is asked when nothing is left");
}

#[tokio::test]
async fn what_the_service_itself_refuses_counts_too() {
    let azure = azure().await;
    let unreadable = group_with("/properties/containers/0/properties/image", json!(null));
    assert_eq!(left(&azure.put("w-1", &unreadable).await), ("3", "9"));
    azure.put("w-1", &group()).await;
    azure.until_running("w-1").await;
    let immutable = group_with("/properties/containers/0/properties/resources/requests/cpu", json!(2));
    let refused = azure.put("w-1", &immutable).await;
    assert_eq!((refused.code(), left(&refused)), ((400, "InvalidContainerGroupUpdate"), ("1", "7")));
}

#[tokio::test]
async fn what_the_gateway_refuses_and_what_is_only_read_takes_nothing() {
    let azure = azure().await;
    for answer in [Answer::forbidden("write"), Answer::throttled(std::time::Duration::from_secs(1))] {
        azure.manager.inject(Fault::once(OperationKind::PutGroup).answers(answer));
        assert_eq!(left(&azure.put("w-1", &group()).await), ("", ""));
    }
    assert_eq!(left(&azure.show("w-1").await), ("", ""));
    assert_eq!(left(&azure.delete("w-1").await), ("4", "10"), "a delete of nothing only says so");
    assert_eq!(left(&azure.put("w-1", &group()).await), ("3", "9"));
}

#[tokio::test]
async fn an_answer_may_have_numbers_of_its_own() {
    let azure = azure().await;
    let pt5m = "x-ms-ratelimit-remaining-subscription-resource-requests-pt5m";
    let answer = Answer::error(409, "Anything", "at all").header(pt5m, "1");
    azure.manager.inject(Fault::once(OperationKind::PutGroup).answers(answer));
    assert_eq!(left(&azure.put("w-1", &group()).await), ("1", "9"));
}

#[tokio::test]
async fn the_allowance_can_change() {
    let azure = azure().await;
    azure.put("w-1", &group()).await;
    azure.manager.set_rate_limit(RateLimit { per_5_minutes: 1, per_hour: 1 });
    assert_eq!(azure.put("w-2", &group()).await.status, 429);
    azure.manager.set_rate_limit(RateLimit { per_5_minutes: 2, per_hour: 3 });
    assert_eq!(left(&azure.put("w-2", &group()).await), ("0", "1"));
}
