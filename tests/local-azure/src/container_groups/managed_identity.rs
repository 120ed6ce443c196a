//! The managed identities of container groups, for which their containers get tokens.
//!
//! As in Container Instances, a container finds the address in `IDENTITY_ENDPOINT`, and the proof that it may ask in
//! `IDENTITY_HEADER`. The protocol is that of [`crate::identity`]. Only Azure knows the client ids of user-assigned identities:
//! here, all of them have the first one of [`IdentityConfig::user_assigned`].

use serde_json::{Map, Value, json};

use super::ContainerGroups;
use super::spec::GroupSpec;
use crate::identity::{Identity, IdentityConfig};

/// The id of every principal here.
const PRINCIPAL_ID: &str = "22222222-2222-2222-2222-222222222222";

/// Issues tokens to containers.
#[derive(Debug)]
pub(super) struct ManagedIdentity {
    identity: Identity,
    endpoint: String,
}

impl ContainerGroups {
    /// Makes groups with a managed identity get their tokens from here.
    pub(crate) fn set_identity(&self, identity: Identity, endpoint: String) {
        // The one that was there first stays.
        _ = self.0.managed_identity.set(ManagedIdentity { identity, endpoint });
    }
}

impl ManagedIdentity {
    /// The variables that a group's containers get for its identities, if it has any.
    pub(super) fn variables_for(&self, spec: &GroupSpec) -> Vec<(String, String)> {
        let Some(identity) = &spec.identity else { return Vec::new() };
        let kind = identity["type"].as_str().unwrap_or_default();
        let header = self.identity.grant(kind.contains("SystemAssigned"), kind.contains("UserAssigned"));
        [("IDENTITY_ENDPOINT", self.endpoint.clone()), ("IDENTITY_HEADER", header)]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }
}

/// Answers show assigned identities with the ids of their principals.
pub(super) fn show_identity(mut identity: Value) -> Value {
    let assigned = identity.get_mut("userAssignedIdentities").and_then(Value::as_object_mut);
    for assigned in assigned.into_iter().flat_map(Map::values_mut) {
        *assigned = json!({ "principalId": PRINCIPAL_ID, "clientId": default_client_id() });
    }
    identity
}

/// The client id of all user-assigned identities, unless [`IdentityConfig`] has another.
fn default_client_id() -> String {
    IdentityConfig::default().user_assigned.remove(0)
}
