//! What Azure Resource Manager does with container groups.

use serde_json::{Value, json};
use tokio::spawn;
use tracing::info;
use uuid::Uuid;

use super::async_operation::{AsyncOperation, AsyncStatus};
use super::behaviour::Behaviour;
use super::group::{Content, Group, Phase, View, normalize_location};
use super::life::Life;
use super::log::LogQuery;
use super::refused::{LogRefused, PutRefused, Transitioning};
use super::spec::GroupSpec;
use super::state::{Key, State, key};
use super::tag_policy::Tags;
use super::{AcceptedPut, ContainerGroups, ContainerGroupsConfig};

/// A PUT that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    /// Whether no such group existed before.
    pub created: bool,
    /// The group as it is now.
    pub group: Value,
    /// The id of the operation that has begun.
    pub operation: String,
}

/// How much of a quota is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// The quota's name.
    pub quota: &'static str,
    /// The same, for people.
    pub display_name: &'static str,
    /// How much is used.
    pub used: f64,
    /// Its limit.
    pub limit: u32,
}

impl ContainerGroups {
    /// Creates or updates a group; `body` is what `spec` was parsed from.
    pub(crate) fn put(
        &self,
        resource_group: &str,
        name: &str,
        mut spec: GroupSpec,
        body: &[u8],
    ) -> Result<Put, PutRefused> {
        let key = key(resource_group, name);
        let mut state = self.state();
        let deploys = match state.groups.get(&key) {
            None => true,
            Some(group) => changes_deployment(group, resource_group, &spec)?,
        };
        let created = !state.groups.contains_key(&key);
        if created {
            self.check_quotas(&state, &spec)?;
        }
        info!(group = name, memory_gb = spec.memory_gb(), created, deploys, "a container group is asked for");
        state.accepted.push(AcceptedPut { name: name.to_owned(), body: body.to_vec(), created });
        let operation = Uuid::new_v4().to_string();
        let asked_tags = spec.tags.clone();
        self.govern(&mut state, &key, &asked_tags, &mut spec.tags);
        if deploys {
            self.deploy(&mut state, key.clone(), (resource_group, name), (spec, asked_tags), operation.clone());
        } else if let Some(group) = state.groups.get_mut(&key) {
            group.asked_tags = asked_tags;
            group.content = Content::Spec(spec);
            let (resource_id, status) = (group.id.clone(), AsyncStatus::after(group.phase));
            state.operations.insert(operation.clone(), AsyncOperation::new(resource_id, status));
        }
        let group = state.groups.get(&key).map(|group| group.to_json(View::Single)).unwrap_or_default();
        drop(state);
        self.changed();
        Ok(Put { created, group, operation })
    }

    fn check_quotas(&self, state: &State, spec: &GroupSpec) -> Result<(), PutRefused> {
        let location = normalize_location(&spec.location);
        for (usage, requested) in self.usages_of(state, &location).into_iter().zip([1.0, spec.cpu()]) {
            let Usage { quota, used: usage, limit, .. } = usage;
            if usage + requested > limit.into() {
                return Err(PutRefused::Quota { quota, location, limit, usage, requested });
            }
        }
        Ok(())
    }

    /// The answer that a PUT would get; changes nothing.
    pub(crate) fn pretend_to_put(&self, resource_group: &str, name: &str, spec: GroupSpec) -> Put {
        let created = !self.state().groups.contains_key(&key(resource_group, name));
        let (asked_tags, operation) = (spec.tags.clone(), Uuid::new_v4().to_string());
        let group = Group::new(self.id(resource_group, name), name, spec, asked_tags, 0, operation.clone());
        Put { created, group: group.to_json(View::Single), operation }
    }

    fn id(&self, resource_group: &str, name: &str) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{resource_group}/providers/Microsoft.ContainerInstance/\
             containerGroups/{name}",
            self.0.subscription_id
        )
    }

    /// Begins a run of a group, in place of one with its name.
    pub(super) fn deploy(
        &self,
        state: &mut State,
        key: Key,
        (resource_group, name): (&str, &str),
        (spec, asked_tags): (GroupSpec, Tags),
        operation: String,
    ) {
        let id = self.id(resource_group, name);
        state.operations.insert(operation.clone(), AsyncOperation::new(id.clone(), AsyncStatus::Pending));
        let life = state.next_life();
        let mut group = Group::new(id, name, spec, asked_tags, life, operation.clone());
        let snapshot = state.snapshot(&group);
        let behaviour = state.rules.iter_mut().find_map(|rule| rule.behaviour_of(&snapshot));
        if let Some(Behaviour::VanishesAfter(after)) = behaviour {
            spawn(self.clone().remove_after(after, key.clone(), operation));
        }
        let life = Life { groups: self.clone(), key: key.clone(), number: life, behaviour };
        group.task = Some(spawn(life.live()).abort_handle());
        if let Some(replaced) = state.groups.insert(key, group) {
            replaced.end_run();
        }
    }

    /// Replaces a group's tags; nothing when there is no such group.
    pub(crate) fn patch(&self, resource_group: &str, name: &str, mut tags: Tags) -> Option<Value> {
        let key = key(resource_group, name);
        let mut state = self.state();
        let asked_tags = state.groups.get(&key)?.asked_tags.clone();
        self.govern(&mut state, &key, &asked_tags, &mut tags);
        let group = state.groups.get_mut(&key)?;
        group.set_tags(tags);
        let json = group.to_json(View::Single);
        drop(state);
        self.changed();
        Some(json)
    }

    /// The answer that a PATCH would get; changes nothing.
    pub(crate) fn pretend_to_patch(&self, resource_group: &str, name: &str, tags: &Tags) -> Option<Value> {
        let mut group = self.show(resource_group, name)?;
        group["tags"] = json!(tags);
        Some(group)
    }

    /// The message in a group's request.
    pub(crate) fn message_of(&self, resource_group: &str, name: &str) -> Option<String> {
        self.state().groups.get(&key(resource_group, name))?.asked_tags.get("message_id").cloned()
    }

    /// Deletes a group and returns it as it was; nothing when there is no such group.
    pub(crate) fn delete(&self, resource_group: &str, name: &str) -> Result<Option<Value>, Transitioning> {
        let key = key(resource_group, name);
        let mut state = self.state();
        let Some(group) = state.groups.get(&key) else { return Ok(None) };
        if group.phase.is_transitioning() {
            return Err(Transitioning { group: group.name.clone() });
        }
        info!(group = group.name, "a container group is deleted");
        group.end_run();
        let json = group.to_json(View::Single);
        if let Some(group) = state.groups.remove(&key) {
            state.remember(&group);
        }
        drop(state);
        self.changed();
        Ok(Some(json))
    }

    /// One group as a GET shows it.
    pub(crate) fn show(&self, resource_group: &str, name: &str) -> Option<Value> {
        self.state().groups.get(&key(resource_group, name)).map(|group| group.to_json(View::Single))
    }

    /// At most `limit` groups of a resource group by name, those after `after`, and whether there are more.
    pub(crate) fn list(&self, resource_group: &str, after: Option<&str>, limit: usize) -> (Vec<Value>, bool) {
        let state = self.state();
        let resource_group = resource_group.to_lowercase();
        let mut groups = state
            .groups
            .iter()
            .filter(|((group, name), _)| *group == resource_group && after.is_none_or(|after| name.as_str() > after));
        let page = groups.by_ref().take(limit).map(|(_, group)| group.to_json(View::Listed)).collect();
        (page, groups.next().is_some())
    }

    /// A container's log. It may be null, which is what planted groups show.
    pub(crate) fn log(
        &self,
        resource_group: &str,
        name: &str,
        container: &str,
        query: LogQuery,
    ) -> Result<Value, LogRefused> {
        let state = self.state();
        let names = || (container.to_owned(), name.to_owned());
        let Some(group) = state.groups.get(&key(resource_group, name)) else {
            return Err(LogRefused::NoGroup { group: name.to_owned() });
        };
        let containers = group.containers();
        let (container, group_name) = names();
        if !containers.contains(&container) {
            return Err(LogRefused::NoContainer { container, group: group_name });
        }
        let position = containers.iter().position(|have| *have == container);
        if let Some(log) = position.and_then(|position| group.log_of(position, query)) {
            return Ok(json!(log));
        }
        if let Content::Spec(spec) = &group.content
            && spec.containers[spec.worker_index()].name != container
        {
            let log = group.companions.log(group.phase, spec, &container, query);
            return log.map(|log| json!(log)).ok_or(LogRefused::NotAvailable { container, group: group_name });
        }
        match group.phase {
            Phase::Planted => Ok(Value::Null),
            Phase::Running { .. } => Ok(json!(group.log.content(query, false))),
            Phase::Terminated { .. } => Ok(json!(group.log.content(query, true))),
            _ => Err(LogRefused::NotAvailable { container, group: group_name }),
        }
    }

    /// How much of each quota of a location is used.
    pub(crate) fn usages(&self, location: &str) -> [Usage; 2] {
        self.usages_of(&self.state(), &normalize_location(location))
    }

    fn usages_of(&self, state: &State, location: &str) -> [Usage; 2] {
        let ContainerGroupsConfig { max_groups, max_cores, .. } = self.0.config;
        let here = || state.groups.values().filter(|group| group.location() == location);
        let cores = here().filter(|group| !group.is_over()).map(|group| match &group.content {
            Content::Spec(spec) => spec.cpu(),
            Content::Planted(_) => 0.0,
        });
        let groups = u32::try_from(here().count()).unwrap_or(u32::MAX).into();
        [
            Usage { quota: "ContainerGroups", display_name: "Container Groups", used: groups, limit: max_groups },
            Usage { quota: "StandardCores", display_name: "Standard Cores", used: cores.sum(), limit: max_cores },
        ]
    }

    /// The operation that a PUT began.
    pub(crate) fn async_operation(&self, id: &str) -> Option<Value> {
        self.state().operations.get(id).map(AsyncOperation::to_json)
    }
}

/// Whether a PUT on an existing group deploys it again.
fn changes_deployment(group: &Group, resource_group: &str, spec: &GroupSpec) -> Result<bool, PutRefused> {
    if group.phase.is_transitioning() {
        return Err(Transitioning { group: group.name.clone() }.into());
    }
    let Content::Spec(have) = &group.content else { return Ok(true) };
    let locations = [&have.location, &spec.location].map(|location| normalize_location(location));
    if locations[0] != locations[1] {
        let [have, asked] = locations;
        let (group, resource_group) = (group.name.clone(), resource_group.to_owned());
        return Err(PutRefused::OtherLocation { group, resource_group, have, asked });
    }
    if group.is_over() {
        return Ok(true);
    }
    if have.immutable() != spec.immutable() {
        return Err(PutRefused::Immutable { group: group.name.clone() });
    }
    Ok(have.properties != spec.properties || have.identity != spec.identity)
}
