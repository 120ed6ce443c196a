//! The templates of container groups: read from JSON or a file, completed by settings, and checked.

use serde_json::{Map, Value};

use super::SettingWarning;
use super::additions::Additions;
use super::reader::{Reader, Reported};
use super::reference;
use super::setting::{Accepts, Fallback, Setting};
use crate::container_group::{Findings, GroupTemplate, Owned, TemplateProblem};

pub(super) const TEMPLATE: Setting = Setting {
    name: "ACI_GROUP_TEMPLATE",
    doc: "What every container group has besides what the scaler sets, as Azure Resource Manager's JSON or the path of a file \
          with it: identity, subnet, volumes, more containers, whatever else Azure accepts. \
          [docs/container-groups.md](docs/container-groups.md) shows how. It may hold secrets, and is never shown.",
    accepts: Accepts::Text(
        "a container group as JSON, such as {\"properties\": {...}}, or the path of a file with one",
    ),
    fallback: Fallback::Optional,
    secret: true,
};

/// The type of the resource that a template is of.
const KIND: &str = "Microsoft.ContainerInstance/containerGroups";

/// The JSON in a setting, or in the file that it names.
pub(super) fn read(reader: &mut Reader<'_>, setting: &Setting) -> Result<Option<Value>, Reported> {
    let Some(text) = reader.optional(setting, |text| Some(text.to_owned()))? else { return Ok(None) };
    let json = if text.starts_with('{') {
        text
    } else {
        let read = reader.file(&text);
        read.map_err(|error| {
            reader.refused(setting, format!("expected {}; the file cannot be read: {}", setting.accepts, error.kind()))
        })?
    };
    if reference::is_unresolved(&json) {
        return Err(reader.refused(setting, format!("expected {}, {}", setting.accepts, reference::UNRESOLVED)));
    }
    // serde_json says where the text stops being JSON, and does not quote it.
    serde_json::from_str(json.trim_start_matches('\u{feff}'))
        .map(Some)
        .map_err(|error| reader.refused(setting, format!("expected JSON: {error}")))
}

/// Completes templates, checks them, and keeps the findings.
pub(super) struct Templates<'a> {
    owned: &'a Owned<'a>,
    additions: &'a Additions,
    /// Problems of the general template, which are not reported again for those made from it.
    reported: Vec<TemplateProblem>,
    warnings: Vec<SettingWarning>,
}

impl<'a> Templates<'a> {
    pub(super) fn new(owned: &'a Owned<'a>, additions: &'a Additions) -> Self {
        Self { owned, additions, reported: Vec::new(), warnings: Vec::new() }
    }

    /// The template of all groups, unless it is empty.
    pub(super) fn general(&mut self, reader: &mut Reader<'_>, json: &Value) -> Result<Option<GroupTemplate>, Reported> {
        let template = self.check(reader, json, &TEMPLATE, "")?;
        Ok(Some(template).filter(|template| !template.is_empty()))
    }

    /// The template at a place in `setting`.
    pub(super) fn check(
        &mut self,
        reader: &mut Reader<'_>,
        json: &Value,
        setting: &Setting,
        at: &str,
    ) -> Result<GroupTemplate, Reported> {
        let mut json = group_of(json.clone()).map_err(|reason| reader.refused(setting, format!("{at}{reason}")))?;
        if let Value::Object(group) = &mut json {
            let of = format!("{}{}{}", setting.name, if at.is_empty() { "" } else { " at " }, at.trim_end_matches('.'));
            self.additions.add_to(group, reader, &of);
        }
        let (template, Findings { problems, dropped }) = GroupTemplate::check(json, self.owned);
        for problem in problems {
            if !self.reported.contains(&problem) {
                let Reported = reader.refused(setting, format!("{at}{problem}"));
                self.reported.push(problem);
            }
        }
        for dropped in dropped {
            let warning = SettingWarning::LeftOut { path: dropped.path, why: dropped.why };
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        template.ok_or(Reported)
    }

    pub(super) fn into_warnings(self) -> Vec<SettingWarning> {
        self.warnings
    }
}

/// The container group in a deployment template, as the portal exports it, or the group itself.
fn group_of(mut json: Value) -> Result<Value, String> {
    let Some(Value::Array(resources)) = json.get_mut("resources").map(Value::take) else { return Ok(json) };
    let is_group = |resource: &Value| resource["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(KIND));
    let mut groups: Vec<_> = resources.into_iter().filter(is_group).collect();
    match groups.pop() {
        Some(group) if groups.is_empty() => Ok(group),
        _ => Err(format!("resources: expected one of the type {KIND}")),
    }
}

/// Merges a patch into JSON, by RFC 7386.
pub(super) fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge_patch(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The cases of the RFC's appendix.
    #[test]
    fn a_patch_is_merged_as_rfc_7386_has_it() {
        for (target, patch, merged) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut target = target;
            merge_patch(&mut target, &patch);
            assert_eq!(target, merged);
        }
    }
}
