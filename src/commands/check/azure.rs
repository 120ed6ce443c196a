//! Checks with Azure Resource Manager: groups, permissions, quotas, sizes, and the time.

use futures_util::future::{join, join3};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use time::Duration;
use tokio::time::Instant;

use super::finding::{Finding, in_time};
use crate::azure::AzureServices;
use crate::azure::diagnosis::{Capability, Diagnosis, Permission, Usage, permits, permits_on_data};
use crate::container_group::Registry;
use crate::plan::most_groups;
use crate::services::ContainerGroups as _;
use crate::settings::{ServiceBusAuth, Settings};

/// The actions of a pass in the resource group of the container groups.
const ON_GROUPS: [&str; 4] = [
    "Microsoft.ContainerInstance/containerGroups/read",
    "Microsoft.ContainerInstance/containerGroups/write",
    "Microsoft.ContainerInstance/containerGroups/delete",
    "Microsoft.ContainerInstance/containerGroups/containers/logs/read",
];
const ON_TOPIC: [&str; 1] = ["Microsoft.ServiceBus/namespaces/topics/subscriptions/read"];
const PEEK: &str = "Microsoft.ServiceBus/namespaces/messages/receive/action";
const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

/// A clock that is further off than this shifts back-offs and makes groups look stuck.
const MAX_SKEW: Duration = Duration::minutes(2);

pub(super) async fn findings(
    services: &AzureServices,
    diagnosis: &Diagnosis,
    settings: &Settings,
    until: Instant,
) -> Vec<Finding> {
    let groups = groups(services, settings, until);
    let permissions = permissions(diagnosis, settings, until);
    let region = join(in_time(until, diagnosis.usages()), in_time(until, diagnosis.capability()));
    let (groups, permissions, (usages, capability)) = join3(groups, permissions, region).await;
    let mut findings = vec![groups];
    findings.extend(permissions);
    findings.extend(quotas(usages, settings));
    findings.push(sizes(capability, settings));
    findings.extend(diagnosis.clock_ahead().map(clock));
    findings
}

async fn groups(services: &AzureServices, settings: &Settings, until: Instant) -> Finding {
    match in_time(until, services.groups.list()).await {
        Ok(groups) => {
            let (there, max) = (groups.groups.len(), settings.aci.max_instances);
            Finding::ok("container groups", format!("{there} of this scaler's exist; ACI_MAX_INSTANCES is {max}"))
        }
        Err(error) => {
            let to_do = "Without the list a pass does nothing: see the permissions on the resource group.";
            Finding::failure("container groups", error, to_do)
        }
    }
}

async fn permissions(diagnosis: &Diagnosis, settings: &Settings, until: Instant) -> Vec<Finding> {
    let place = |scope: Vec<String>| async move {
        let permissions = in_time(until, diagnosis.permissions(&scope)).await;
        (format!("/{}", scope.join("/")), permissions)
    };
    let identity = match &settings.registry {
        Some(Registry::Identity { identity, .. }) => {
            Some(identity.trim_matches('/').split('/').map(str::to_owned).collect())
        }
        _ => None,
    };
    let identity = async {
        match identity {
            Some(scope) => Some(place(scope).await),
            None => None,
        }
    };
    let (groups, topic, identity) = join3(place(diagnosis.resource_group()), place(diagnosis.topic()), identity).await;
    let who = Who { kind: diagnosis.identity(), client_id: settings.azure.client_id.as_deref() };
    let peeks = matches!(settings.service_bus.auth, ServiceBusAuth::Entra);
    let on_data: &[&str] = if peeks { &[PEEK] } else { &[] };
    let mut findings = vec![
        who.may("resource group", &groups, &ON_GROUPS, &[], "Azure Container Instances Contributor Role"),
        who.may("topic", &topic, &ON_TOPIC, on_data, "Azure Service Bus Data Receiver"),
    ];
    findings.extend(
        identity.map(|identity| who.may("ACR_IDENTITY", &identity, &[ASSIGN], &[], "Managed Identity Operator")),
    );
    findings
}

/// The identity that is checked.
struct Who<'a> {
    kind: &'static str,
    client_id: Option<&'a str>,
}

impl Who<'_> {
    /// Whether the identity may do all this at a scope.
    fn may(
        &self,
        place: &str,
        (scope, permissions): &(String, Result<Vec<Permission>, String>),
        actions: &[&str],
        on_data: &[&str],
        role: &str,
    ) -> Finding {
        let what = format!("permissions on the {place}");
        let permissions = match permissions {
            Ok(permissions) => permissions,
            Err(error) => {
                let found = format!("the permissions of {} there could not be read: {error}", self.kind);
                return Finding::warning(what, found, "The other checks show whether it may do its work.");
            }
        };
        let missing: Vec<_> = actions
            .iter()
            .filter(|action| !permits(permissions, action))
            .chain(on_data.iter().filter(|action| !permits_on_data(permissions, action)))
            .copied()
            .collect();
        if missing.is_empty() {
            let conditions = permissions.iter().any(|permission| permission.condition.is_some());
            let but = if conditions { "; some of it under conditions, which are not checked" } else { "" };
            return Finding::ok(what, format!("{} may do everything that a pass does there{but}", self.kind));
        }
        let assignee = self.client_id.unwrap_or("PRINCIPAL_ID_OF_THE_SCALER");
        let to_do = format!("Run: az role assignment create --assignee {assignee} --role \"{role}\" --scope {scope}");
        Finding::failure(what, format!("{} may not {}", self.kind, missing.join(", ")), to_do)
    }
}

/// The region's quotas against the settings.
fn quotas(usages: Result<Vec<Usage>, String>, settings: &Settings) -> Vec<Finding> {
    let usages = match usages {
        Ok(usages) => usages,
        Err(error) => {
            let found = format!("they could not be read: {error}");
            return vec![Finding::warning("quotas", found, "When a quota is used up, messages are waiting_quota.")];
        }
    };
    let (max, location) = (settings.aci.max_instances, &settings.aci.location);
    let cores = Decimal::from(max) * settings.aci.default_cpu;
    let wanted = |name: &str| match name {
        "ContainerGroups" => {
            let groups = most_groups(max);
            Some((groups.to_f64()?, format!("{max} at a time and their records are up to {groups}")))
        }
        "StandardCores" => Some((cores.to_f64()?, format!("ACI_MAX_INSTANCES × ACI_DEFAULT_CPU are {cores}"))),
        _ => None,
    };
    let finding = |Usage { name, used, limit }: &Usage| {
        let (wanted, words) = wanted(name)?;
        let what = format!("quota {name}");
        let found = format!("{used} of {limit} are used in {location}; {words}");
        if used >= limit {
            let to_do = format!(
                "No group can be created: ask for more under Quotas in the portal, or set a lower ACI_MAX_INSTANCES than {max}."
            );
            return Some(Finding::failure(what, found, to_do));
        }
        if wanted > *limit {
            let to_do =
                "Messages will wait for it: ask for more under Quotas in the portal, or set a lower ACI_MAX_INSTANCES.";
            return Some(Finding::warning(what, found, to_do));
        }
        Some(Finding::ok(what, found))
    };
    usages.iter().filter_map(finding).collect()
}

/// The region's largest group against the settings' largest.
fn sizes(capability: Result<Option<Capability>, String>, settings: &Settings) -> Finding {
    let what = "sizes";
    let (memory, cpu) = (settings.aci.max_memory, settings.aci.default_cpu);
    let Capability { max_memory_gb, max_cpu } = match capability {
        Ok(Some(capability)) => capability,
        Ok(None) => {
            let found = format!("{} lists no Linux container groups", settings.aci.location);
            return Finding::warning(what, found, "If Azure refuses groups, set another ACI_LOCATION.");
        }
        Err(error) => {
            let found = format!("the region's sizes could not be read: {error}");
            return Finding::warning(
                what,
                found,
                "Azure refuses a size that the region does not have when a group is created.",
            );
        }
    };
    let found = format!(
        "{} has groups of up to {max_cpu} cores and {max_memory_gb} GB; the largest here have {cpu} and {memory}",
        settings.aci.location
    );
    let is_cpu_too_large = cpu.to_f64().is_some_and(|cpu| cpu > max_cpu);
    if is_cpu_too_large {
        return Finding::failure(
            what,
            found,
            "No group can be created: set a lower ACI_DEFAULT_CPU or another ACI_LOCATION.",
        );
    }
    if memory.to_f64() > max_memory_gb {
        return Finding::warning(
            what,
            found,
            "Messages of the largest files get no group: set a lower ACI_MAX_MEMORY_GB.",
        );
    }
    Finding::ok(what, found)
}

fn clock(ahead: Duration) -> Finding {
    let seconds = ahead.whole_seconds();
    let found =
        format!("this machine's is {} s {} Azure's", seconds.abs(), if seconds < 0 { "behind" } else { "ahead of" });
    if ahead.abs() < MAX_SKEW {
        return Finding::ok("clock", found);
    }
    let to_do = "Set the clock: back-offs and time-outs are measured against Azure's time stamps.";
    Finding::failure("clock", found, to_do)
}
