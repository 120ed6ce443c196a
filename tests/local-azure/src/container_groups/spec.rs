//! The body of a PUT, parsed and checked as by the service.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::combinations;
use super::invalid::InvalidGroup;
use super::request::{Amounts, Container, Patch, Properties, Request, Variable};

/// A container group as it was requested.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpec {
    /// The Azure region, as it was written.
    pub location: String,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The containers; at least one.
    pub containers: Vec<ContainerSpec>,
    /// `identity` as it was sent.
    pub(super) identity: Option<Value>,
    /// `zones` as they were sent.
    pub(super) zones: Option<Value>,
    /// `properties` as they were sent, secrets included.
    pub(super) properties: Value,
}

/// A container as it was requested.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// The command that replaces the image's own; empty for none.
    pub command: Vec<String>,
    /// Its variables.
    pub environment: BTreeMap<String, EnvironmentVariable>,
    /// Memory, in GB.
    pub memory_gb: f64,
    /// CPU, in cores.
    pub cpu: f64,
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentVariable {
    /// The value.
    pub value: String,
    /// Whether it was sent as `secureValue`, which is never shown again.
    pub secure: bool,
}

impl GroupSpec {
    /// Parses the body of a PUT for the group `name`.
    ///
    /// # Errors
    /// The first thing that the service would find wrong with it.
    pub fn parse(name: &str, body: &[u8]) -> Result<Self, InvalidGroup> {
        let content = |error: serde_json::Error| InvalidGroup::Content { reason: error.to_string() };
        let raw: Value = serde_json::from_slice(body).map_err(content)?;
        let request: Request = serde_json::from_slice(body).map_err(content)?;
        check_name(name).map_err(|()| InvalidGroup::Name { group: name.to_owned() })?;
        let location = request.location.filter(|location| !location.is_empty()).ok_or(InvalidGroup::Location)?;
        let tags = request.tags.unwrap_or_default();
        check_tags(&tags)?;
        let properties = request.properties.ok_or_else(|| InvalidGroup::NoContainers { group: name.to_owned() })?;
        properties.check(name, request.identity.as_ref())?;
        let containers =
            properties.containers.iter().map(|container| container.parse(name)).collect::<Result<Vec<_>, _>>()?;
        combinations::check(name, request.identity.as_ref(), &raw["properties"])?;
        let (identity, zones) = (request.identity, request.zones);
        let spec = Self { location, tags, containers, identity, zones, properties: raw["properties"].clone() };
        properties.check_limits(name, &spec)?;
        Ok(spec)
    }

    /// Memory of all containers, in GB.
    pub fn memory_gb(&self) -> f64 {
        self.containers.iter().map(|container| container.memory_gb).sum()
    }

    /// CPU of all containers, in cores.
    pub fn cpu(&self) -> f64 {
        self.containers.iter().map(|container| container.cpu).sum()
    }

    /// What a running group cannot change: a change is refused with `InvalidContainerGroupUpdate`.
    pub(super) fn immutable(&self) -> Value {
        let properties = &self.properties;
        let resources: Vec<_> = self.containers.iter().map(|container| [container.memory_gb, container.cpu]).collect();
        json!([
            properties["osType"],
            properties["restartPolicy"],
            properties["subnetIds"],
            properties["ipAddress"],
            resources
        ])
    }
}

/// Parses the body of a PATCH: the tags that the group is to have.
pub(crate) fn parse_patch(body: &[u8]) -> Result<BTreeMap<String, String>, InvalidGroup> {
    let content = |error: serde_json::Error| InvalidGroup::Content { reason: error.to_string() };
    let patch: Patch = serde_json::from_slice(body).map_err(content)?;
    check_tags(&patch.tags)?;
    Ok(patch.tags)
}

/// 1 to 63 lower-case letters, digits and single hyphens, with no hyphen at either end (Azure's naming rules).
pub(super) fn check_name(name: &str) -> Result<(), ()> {
    let valid = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && name.split('-').all(|part| !part.is_empty());
    valid.then_some(()).ok_or(())
}

/// At most 50 tags, names of at most 512 characters without `<>%&\?/`, values of at most 256 (Azure Resource Manager's
/// limits).
fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), InvalidGroup> {
    if tags.len() > 50 {
        return Err(InvalidGroup::TooManyTags);
    }
    for (name, value) in tags {
        if name.is_empty() || name.chars().count() > 512 || name.contains(['<', '>', '%', '&', '\\', '?', '/']) {
            return Err(InvalidGroup::TagName { name: name.clone() });
        }
        if value.chars().count() > 256 {
            return Err(InvalidGroup::TagValue { name: name.clone() });
        }
    }
    Ok(())
}

impl Properties {
    fn check(&self, group: &str, identity: Option<&Value>) -> Result<(), InvalidGroup> {
        let group = || group.to_owned();
        if !self.os_type.as_ref().is_some_and(|os| os == "Linux" || os == "Windows") {
            return Err(InvalidGroup::OsType { found: self.os_type.clone().unwrap_or_else(|| "<null>".to_owned()) });
        }
        if self.containers.is_empty() {
            return Err(InvalidGroup::NoContainers { group: group() });
        }
        for credential in &self.image_registry_credentials {
            match (&credential.username, &credential.identity) {
                (Some(_), None) => {}
                (None, Some(id)) if is_assigned(identity, id) => {}
                (None, Some(_)) => return Err(InvalidGroup::RegistryIdentity { group: group() }),
                _ => return Err(InvalidGroup::RegistryCredential { group: group() }),
            }
        }
        if self.ip_address.as_ref().is_some_and(|ip| ip.ports.is_empty()) {
            return Err(InvalidGroup::IpAddressPorts { group: group() });
        }
        let inbound = self.ip_address.is_some() || self.subnet_ids.is_some();
        if inbound && self.priority.as_deref() == Some("Spot") {
            return Err(InvalidGroup::SpotInbound);
        }
        Ok(())
    }

    /// Limits are checked against the whole group, so after every container's requests are known.
    fn check_limits(&self, group: &str, spec: &GroupSpec) -> Result<(), InvalidGroup> {
        let (memory_gb, cpu) = (spec.memory_gb(), spec.cpu());
        // 31 cores and 240 GB is the most that the service documents; beyond it, it says that it has no room.
        if memory_gb > 240.0 || cpu > 31.0 {
            return Err(InvalidGroup::NotAvailable { location: spec.location.clone(), cpu, memory_gb });
        }
        for (container, asked) in self.containers.iter().zip(&spec.containers) {
            let limits = container.properties.resources.as_ref().and_then(|resources| resources.limits);
            let Some(Amounts { memory_gb: memory_limit, cpu: cpu_limit }) = limits else { continue };
            let named = || (container.name.clone(), group.to_owned());
            for (what, limit, request, total) in
                [("MemoryInGB", memory_limit, asked.memory_gb, memory_gb), ("Cpu", cpu_limit, asked.cpu, cpu)]
            {
                let (container, group) = named();
                match limit {
                    Some(limit) if limit < request => return Err(InvalidGroup::LimitTooLow { container, group, what }),
                    Some(limit) if limit > total => return Err(InvalidGroup::LimitTooHigh { container, group, what }),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Compares resource ids, ignoring case.
pub(super) fn is_assigned(identity: Option<&Value>, id: &str) -> bool {
    let assigned = identity.and_then(|identity| identity["userAssignedIdentities"].as_object());
    assigned.is_some_and(|assigned| assigned.keys().any(|have| have.eq_ignore_ascii_case(id)))
}

impl Container {
    fn parse(&self, group: &str) -> Result<ContainerSpec, InvalidGroup> {
        let names = || (self.name.clone(), group.to_owned());
        let (container, group) = names();
        check_name(&self.name).map_err(|()| InvalidGroup::ContainerName { container, group })?;
        let (container, group) = names();
        let image = self.properties.image.clone().filter(|image| !image.is_empty());
        let image = image.ok_or(InvalidGroup::NoImage { container, group })?;
        let (container, group) = names();
        let requests = self.properties.resources.as_ref().and_then(|resources| resources.requests);
        let Amounts { memory_gb, cpu } = requests.ok_or(InvalidGroup::NoRequests { container, group })?;
        let missing = |what| {
            let (container, group) = names();
            InvalidGroup::RequestMissing { container, group, what }
        };
        let memory_gb = memory_gb.ok_or_else(|| missing("MemoryInGB"))?;
        let cpu = cpu.ok_or_else(|| missing("Cpu"))?;
        let (container, group) = names();
        if !is_multiple(memory_gb, 10.0) {
            return Err(InvalidGroup::MemoryStep { container, group, memory_gb });
        }
        if !is_multiple(cpu, 100.0) {
            return Err(InvalidGroup::CpuStep { container, group, cpu });
        }
        let environment =
            self.properties.environment_variables.iter().map(Variable::parse).collect::<Result<_, _>>()?;
        Ok(ContainerSpec {
            name: self.name.clone(),
            image,
            command: self.properties.command.clone(),
            environment,
            memory_gb,
            cpu,
        })
    }
}

/// Whether `amount` is above zero and a whole number of steps, of which `per_unit` make one. The float nearest to such
/// a decimal is accepted, and no other: 0.30000000000000004 is not 0.3.
fn is_multiple(amount: f64, per_unit: f64) -> bool {
    let steps = (amount * per_unit).round();
    #[expect(clippy::float_cmp, reason = "the point is to tell 0.3 from its neighbours")]
    let exact = steps / per_unit == amount;
    exact && steps >= 1.0
}

impl Variable {
    fn parse(&self) -> Result<(String, EnvironmentVariable), InvalidGroup> {
        let name = &self.name;
        let valid = (1..=63).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !valid {
            return Err(InvalidGroup::VariableName { name: name.clone() });
        }
        let secure = self.secure_value.is_some();
        let value = self.secure_value.clone().or_else(|| self.value.clone()).unwrap_or_default();
        Ok((name.clone(), EnvironmentVariable { value, secure }))
    }
}
