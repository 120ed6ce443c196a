//! Templates of container groups, and the settings that are put into them.

use aci_scaler::settings::Settings;
use serde_json::{Value, json};

use crate::{IDENTITY, errors, load};

const SUBNET: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/workers";
const WORKSPACE: &str = "00000000-0000-0000-0000-000000000002";

fn template(settings: &Settings) -> Value {
    settings.group.template.as_ref().unwrap().json().clone()
}

#[test]
fn settings_for_the_common_cases_are_a_template() {
    let settings = load(&[
        ("ACI_IDENTITY", IDENTITY),
        ("ACI_SUBNET_ID", SUBNET),
        ("ACI_TAGS", " team = maps, cost-centre=42,equation=a=b, "),
        ("ACI_LOG_ANALYTICS_WORKSPACE_ID", WORKSPACE),
        ("ACI_LOG_ANALYTICS_WORKSPACE_KEY", "key"),
    ])
    .unwrap();
    assert_eq!(settings.group.identity.as_deref(), Some(IDENTITY));
    let expected = json!({
        "identity": { "type": "UserAssigned", "userAssignedIdentities": { IDENTITY: {} } },
        "tags": { "team": "maps", "cost-centre": "42", "equation": "a=b" },
        "properties": {
            "containers": [],
            "subnetIds": [{ "id": SUBNET }],
            "diagnostics": { "logAnalytics": { "workspaceId": WORKSPACE, "workspaceKey": "key" } },
        },
    });
    assert_eq!(template(&settings), expected);
    assert!(load(&[]).unwrap().group.template.is_none(), "nothing is sent that was not asked for");
}

#[test]
fn settings_add_to_a_template_and_may_not_contradict_it() {
    let settings = load(&[
        ("ACI_GROUP_TEMPLATE", r#"{"identity": {"type": "SystemAssigned"}, "tags": {"team": "maps"}}"#),
        ("ACI_IDENTITY", IDENTITY),
        ("ACI_TAGS", "team=maps,cost-centre=42"),
    ])
    .unwrap();
    let template = template(&settings);
    assert_eq!(template["identity"]["type"], "SystemAssigned, UserAssigned");
    assert_eq!(template["tags"], json!({ "team": "maps", "cost-centre": "42" }));

    let contradicted = errors(&[
        (
            "ACI_GROUP_TEMPLATE",
            r#"{"identity": {"type": "None"}, "tags": {"team": "geo"}, "properties": {"subnetIds": [{"id": "/other"}]}}"#,
        ),
        ("ACI_IDENTITY", IDENTITY),
        ("ACI_TAGS", "team=maps"),
        ("ACI_SUBNET_ID", SUBNET),
    ]);
    insta::assert_snapshot!(contradicted);
    let in_case = errors(&[("ACI_GROUP_TEMPLATE", r#"{"tags": {"Team": "maps"}}"#), ("ACI_TAGS", "team=maps")]);
    assert_eq!(in_case, r#"ACI_TAGS="team=maps": tags.team in ACI_GROUP_TEMPLATE says otherwise"#);
}

#[test]
fn a_worker_that_is_told_a_client_id_keeps_it() {
    let settings = load(&[("ACI_IDENTITY", IDENTITY), ("INSTANCE_AZURE_CLIENT_ID", "mine")]).unwrap();
    assert_eq!(settings.group.identity, None);
    assert!(template(&settings)["identity"]["userAssignedIdentities"][IDENTITY].is_object());
}

#[test]
fn a_template_is_json_or_a_file_with_it_and_may_be_what_the_portal_exports() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group.json");
    let exported = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": { "name": { "type": "String" } },
        "resources": [{
            "type": "Microsoft.ContainerInstance/containerGroups", "apiVersion": "2023-05-01",
            "name": "[parameters('name')]", "location": "westeurope", "zones": ["1"],
            "properties": { "containers": [], "osType": "Linux" },
        }],
    });
    std::fs::write(&file, format!("\u{feff}{exported}")).unwrap();
    let settings = load(&[("ACI_GROUP_TEMPLATE", file.to_str().unwrap())]).unwrap();
    assert_eq!(template(&settings), json!({ "zones": ["1"], "properties": { "containers": [] } }));
    let warnings: Vec<_> = settings.group.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["apiVersion", "name", "type"]
            .map(|path| format!("{path} is left out of the template of container groups: only Azure sets it"))
    );
}

#[test]
fn all_that_is_wrong_with_templates_and_overrides_is_told_at_once_and_once() {
    insta::assert_snapshot!(errors(&[
        ("INSTANCE_TOPIC", "files"),
        (
            "ACI_GROUP_TEMPLATE",
            r#"{"location": "northeurope", "propertys": {}, "properties": {"priority": "Spot", "subnetIds": [{"id": "/s"}],
                "containers": [{"name": "worker", "properties": {"environmentVariables": [{"name": "TOPIC", "value": "t"}]}}]}}"#,
        ),
        (
            "ACI_SUBSCRIPTION_OVERRIDES",
            r#"{"small": {"cpu": "4", "max_instance": 1, "min_memory_gb": 0.25, "template": {"properties": {"sku": "Confidental"}}},
                "large*": {"image": "Worker:", "max_instances": -1, "memory_multiplier": 0}, "a b": {}, "c": []}"#,
        ),
    ]));
    insta::assert_snapshot!(
        errors(&[("ACI_SUBSCRIPTION_OVERRIDES", r#"{"*": {"min_memory_gb": 4, "cpu": 8}, "small": {"max_memory_gb": 2, "max_cpu": 4}}"#)]),
        @"
    ACI_SUBSCRIPTION_OVERRIDES=(secret): small: its least memory is more than its most
    ACI_SUBSCRIPTION_OVERRIDES=(secret): small: its cpu is more than its max_cpu
    "
    );
}

#[test]
fn the_least_cpu_is_at_most_the_most() {
    insta::assert_snapshot!(
        errors(&[("ACI_MAX_CPU", "1")]),
        @r#"ACI_DEFAULT_CPU="2": expected at most ACI_MAX_CPU (1)"#
    );
}
