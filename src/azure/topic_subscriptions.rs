//! The subscriptions of a topic, as Azure Resource Manager lists them.

use std::sync::Arc;

use super::arm::Arm;
use super::bad_answer::BadAnswer;
use crate::message::SubscriptionName;
use crate::services::{ArmError, Subscriptions};
use crate::settings::Settings;

/// A version that all clouds have.
const API_VERSION: &str = "2021-11-01";

/// Subscriptions in a page: the most that Service Bus gives (`$top`, 1 to 1000), where it gives 100 if it is not asked.
const PAGE: (&str, &str) = ("$top", "1000");

#[derive(Debug)]
pub(crate) struct TopicSubscriptions {
    arm: Arc<Arm>,
    path: Vec<String>,
}

impl TopicSubscriptions {
    pub(super) fn new(arm: Arc<Arm>, settings: &Settings) -> Self {
        let bus = &settings.service_bus;
        // Resource Manager knows no escaped slash in a topic's name: it spells it so (azure-rest-api-specs#1082).
        let topic = bus.topic.replace('/', "~");
        let path = [
            "subscriptions",
            &settings.azure.subscription_id,
            "resourceGroups",
            &bus.resource_group,
            "providers",
            "Microsoft.ServiceBus",
            "namespaces",
            &bus.namespace,
            "topics",
            &topic,
            "subscriptions",
        ];
        Self { arm, path: path.map(str::to_owned).to_vec() }
    }
}

impl Subscriptions for TopicSubscriptions {
    async fn list(&self) -> Result<Vec<SubscriptionName>, ArmError> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let items = self.arm.list(&path, API_VERSION, &[PAGE]).await?;
        let name = |item: &serde_json::Value| item.get("name")?.as_str().map(SubscriptionName::new);
        items.iter().map(|item| Ok(name(item).ok_or(BadAnswer::NamelessSubscription)?)).collect()
    }
}
