//! What every container group has besides its worker.

use serde_json::{Map, Value};

use super::additions::{self, Additions};
use super::overrides::{self, OVERRIDES};
use super::reader::{Reader, Reported};
use super::setting::Setting;
use super::template::{self, TEMPLATE, Templates};
use super::{AciSettings, ContainerEnvironment, SettingWarning};
use crate::container_group::{GroupTemplate, Overrides, Owned, Recipe, Registry};

/// `ACI_GROUP_TEMPLATE`, `ACI_SUBSCRIPTION_OVERRIDES`, and the settings that add to them.
#[derive(Clone, Debug, Default)]
pub struct GroupSettings {
    /// The identity whose client id the worker finds in [`CLIENT_ID`].
    pub identity: Option<String>,
    pub template: Option<GroupTemplate>,
    pub overrides: Overrides,
    /// What was left out of the templates.
    pub warnings: Vec<SettingWarning>,
}

pub(super) const ALL: [&Setting; 2] = [&TEMPLATE, &OVERRIDES];

/// The variable in which Azure's libraries look for the client id of a user-assigned identity.
const CLIENT_ID: &str = Recipe::CLIENT_ID;

impl GroupSettings {
    /// Reads them. The arguments are the other settings of the groups, if known.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        aci: Option<&AciSettings>,
        registry: Option<&Registry>,
        container: Option<&ContainerEnvironment>,
    ) -> Result<Self, Reported> {
        let additions = Additions::read(reader);
        let json = template::read(reader, &TEMPLATE);
        let overrides = template::read(reader, &OVERRIDES);
        let (additions, json, overrides) = (additions?, json?, overrides?);
        let variables = container.map(ContainerEnvironment::names).unwrap_or_default();
        let has_client_id = variables.iter().any(|(name, _)| name.eq_ignore_ascii_case(CLIENT_ID));
        let identity = additions.identity.clone().filter(|_| !has_client_id);
        let mut owned = Owned { location: aci.map(|aci| aci.location.as_str()), variables, ..Owned::default() };
        if identity.is_some() {
            owned.variables.push((CLIENT_ID, additions::IDENTITY.name.to_owned()));
        }
        if let Some(Registry::Identity { server, .. } | Registry::Password { server, .. }) = registry {
            owned.registry = Some(server);
        }
        if let Some(Registry::Identity { identity, .. }) = registry {
            owned.identities.push(identity);
        }
        let mut templates = Templates::new(&owned, &additions);
        let general = json.unwrap_or_else(|| Value::Object(Map::new()));
        let template = templates.general(reader, &general);
        let overrides = overrides::read(reader, overrides, aci, &general, &mut templates);
        Ok(Self { identity, template: template?, overrides: overrides?, warnings: templates.into_warnings() })
    }
}
