//! What the unit tests of several modules need.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;

use crate::container_group::{MemoryGb, NamePrefix};
use crate::settings::{
    AciSettings, AzureSettings, ContainerEnvironment, LogSettings, ProcessingSettings, ServiceBusAuth,
    ServiceBusSettings, Settings,
};

/// The time in unit tests.
pub const NOW: OffsetDateTime = datetime!(2026-01-05 10:00:00 UTC);

/// Settings that are in no test's way.
pub fn settings() -> Settings {
    let memory = |gb: &str| MemoryGb::from_decimal(gb.parse().unwrap()).unwrap();
    Settings {
        azure: AzureSettings {
            subscription_id: "00000000-0000-0000-0000-000000000001".into(),
            resource_group: "workers".into(),
            client_id: None,
            resource_manager: "http://127.0.0.1:1".parse().unwrap(),
            resource_manager_audience: "https://management.azure.com".into(),
        },
        aci: AciSettings {
            image: "acr.azurecr.io/worker:1".into(),
            name_prefix: NamePrefix::parse("worker").unwrap(),
            location: "westeurope".into(),
            max_instances: 200,
            default_cpu: 2.into(),
            memory_multiplier: 8.into(),
            min_memory: memory("0.5"),
            max_memory: memory("240"),
            provisioning_timeout: Duration::from_mins(30),
            max_runtime: None,
        },
        registry: None,
        service_bus: ServiceBusSettings {
            host: "127.0.0.1".into(),
            port: 1,
            tls: false,
            auth: ServiceBusAuth::Entra,
            namespace: "ns".into(),
            topic: "files".into(),
            resource_group: "workers".into(),
        },
        processing: ProcessingSettings {
            skip_subscriptions: ["skipped".to_owned()].into(),
            max_workers: NonZeroUsize::new(4).unwrap(),
            peek_page: NonZeroU32::new(250).unwrap(),
            peek_depth: NonZeroU32::new(10_000).unwrap(),
            retry_backoff: Duration::from_mins(1),
            max_attempts: NonZeroU32::new(10).unwrap(),
            delete_orphans: false,
            orphan_grace: Duration::from_mins(10),
            dry_run: false,
            pass_deadline: Duration::from_mins(4),
        },
        container: ContainerEnvironment::default(),
        logs: LogSettings::default(),
    }
}
