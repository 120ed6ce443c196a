//! Requests about topics of Service Bus and their subscriptions.

use serde_json::Value;

use super::answer::Answer;
use super::service::{Request, Service};
use super::topics::Paging;

impl Service {
    pub(super) fn topic(&self, namespace: &str, topic: &str, path: &str) -> Answer {
        self.config.topics.topic(namespace, topic).map_or_else(
            || Answer::error(404, "NotFound", &format!("The requested resource {topic} does not exist.")),
            |found| Answer::json(200, &found.to_json(topic, path, self.location())),
        )
    }

    pub(super) fn topic_subscriptions(&self, namespace: &str, topic: &str, request: &Request<'_>) -> Answer {
        let Some(subscriptions) = self.config.topics.list(namespace, topic) else {
            let message = format!(
                "Failed to perform 'read' on resource(s) of type 'namespaces/topics/subscriptions', because the parent \
                 resource '{}' could not be found.",
                request.path.trim_end_matches("/subscriptions")
            );
            return Answer::error(404, "ParentResourceNotFound", &message);
        };
        let Paging { skip, top } = match Paging::parse(request.query, self.config.topic_page_size) {
            Ok(Paging { skip, top }) => Paging { skip, top: top.min(request.changes.page_limit) },
            Err(parameter) => {
                let message = format!("The value of the query parameter '{parameter}' is out of range.");
                return Answer::error(400, "BadRequest", &message);
            }
        };
        let topic_id = request.path.trim_end_matches("/subscriptions");
        let page = subscriptions.iter().skip(skip).take(top);
        let page: Vec<Value> = page.map(|subscription| subscription.to_json(topic_id, self.location())).collect();
        let next = skip + top;
        let next = (next < subscriptions.len()).then(|| format!("$skip={next}&$top={top}"));
        self.page(page, next.as_deref(), request)
    }

    pub(super) fn topic_subscription(&self, namespace: &str, topic: &str, name: &str, path: &str) -> Answer {
        let listed = self.config.topics.list(namespace, topic).unwrap_or_default();
        let found = listed.into_iter().find(|subscription| subscription.name.eq_ignore_ascii_case(name));
        let topic_id = path.rsplitn(3, '/').last().unwrap_or_default();
        found.map_or_else(
            || Answer::error(404, "NotFound", &format!("The requested resource {name} does not exist.")),
            |subscription| Answer::json(200, &subscription.to_json(topic_id, self.location())),
        )
    }
}
