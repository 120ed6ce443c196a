//! The template: resolved as Resource Manager would, checked against Azure's schemas, and its settings against the scaler's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use aci_scaler::settings::{Accepts, Environment, Fallback, Settings, all_settings, unknown_settings};
use serde_json::{Value, json};
use test_support::programs::{SCHEMA_VALIDATOR, python, variable};

use crate::stage::repository;
use crate::tools::{no_python, write};

/// What the template determines itself; and `RUST_LOG`, which is `LOG_LEVEL` for those who know Rust.
const NOT_GIVEN: [&str; 5] =
    ["AZURE_SUBSCRIPTION_ID", "AZURE_CLIENT_ID", "AZURE_CLOUD", "AZURE_RESOURCE_MANAGER_ENDPOINT", "RUST_LOG"];

/// The scaler's roles and where it has each: the ids that Azure documents, and the kind of scope.
const ROLES: [(&str, &str); 5] = [
    // Storage Blob Data Owner
    ("b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "Microsoft.Storage/storageAccounts"),
    // Monitoring Metrics Publisher
    ("3913510d-42f4-4e42-8a64-420c390055eb", "Microsoft.Insights/components"),
    // Azure Container Instances Contributor Role
    ("5d977122-f97e-4b4d-a52f-6b43003ddb4d", "resource group"),
    // Azure Service Bus Data Receiver
    ("4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", "Microsoft.ServiceBus/namespaces/topics"),
    // Managed Identity Operator
    ("f1a07417-d97a-45cb-824c-7a7467783830", "Microsoft.ManagedIdentity/userAssignedIdentities"),
];

struct AppSettings(BTreeMap<String, String>);

impl Environment for AppSettings {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

#[test]
fn the_template_resolves_and_every_resource_fits_its_schema() {
    if no_python() {
        return;
    }
    let resolved = resolve(&template(), &example()).expect("the template as it is");
    let kinds: Vec<_> = resources(&resolved).map(|resource| resource["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "Microsoft.Authorization/roleAssignments").count(), ROLES.len());
    let (Some(python), Some(specs)) = (python(&[SCHEMA_VALIDATOR]), specs()) else { return };

    let program = repository().join("tests/deploy/schemas.py");
    let mut validation = Command::new(python)
        .arg(program)
        .arg(specs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the validator was installed");
    let mut input = validation.stdin.take().expect("it is piped");
    input.write_all(resolved.to_string().as_bytes()).expect("the validator reads");
    drop(input);
    let output = validation.wait_with_output().expect("the validator ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let nested = kinds.iter().filter(|kind| **kind == "Microsoft.Resources/deployments").count();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), (kinds.len() - nested).to_string());
}

#[test]
fn the_scaler_accepts_the_settings_that_the_template_makes() {
    if no_python() {
        return;
    }
    let resolved = resolve(&template(), &example()).expect("the template as it is");
    let settings = AppSettings(app_settings(&resolved));
    let read = Settings::from_environment(&settings).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(read.azure.resource_group, "my-rg");
    assert!(read.registry.is_some(), "the identity that pulls the image is lost");
    let warnings: Vec<_> = unknown_settings(&settings).into_iter().map(|warning| warning.to_string()).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    let storage = &settings.0["AzureWebJobsStorage__credential"];
    assert_eq!(storage, "managedidentity");
    for not_on_flex in ["FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE"] {
        assert!(!settings.0.contains_key(not_on_flex), "{not_on_flex} must not be set on Flex Consumption");
    }
}

#[test]
fn parameters_mirror_the_settings() {
    let template = template();
    let parameters = template["parameters"].as_object().expect("an object");
    for setting in all_settings().filter(|setting| !NOT_GIVEN.contains(&setting.name) && setting.name != "INSTANCE_*") {
        let name = setting.name;
        let parameter = parameters.get(name).unwrap_or_else(|| panic!("{name} has no parameter"));
        let expected_type = match (&setting.accepts, setting.secret) {
            (_, true) => "securestring",
            (Accepts::Whole(_), _) => "int",
            (Accepts::Flag, _) => "bool",
            _ => "string",
        };
        assert_eq!(parameter["type"], expected_type, "{name}");
        if let Accepts::Whole(range) = &setting.accepts {
            assert_eq!(
                (&parameter["minValue"], &parameter["maxValue"]),
                (&json!(range.start()), &json!(range.end())),
                "{name}"
            );
        }
        let default = parameter.get("defaultValue").map(text);
        match setting.fallback {
            Fallback::Default(value) => {
                assert_eq!(default.as_deref(), Some(value), "{name}");
                assert_eq!(parameter["metadata"]["description"], setting.doc.replace('`', ""), "{name}");
            }
            // The template takes these from its resource group.
            Fallback::Required if name == "ACI_LOCATION" || name == "AZURE_RESOURCE_GROUP" => {
                assert!(default.is_some_and(|value| value.starts_with("[resourceGroup().")), "{name}");
            }
            Fallback::Required => assert_eq!(default, None, "{name}"),
            Fallback::Optional => {}
        }
    }
    let whole = template.to_string();
    for setting in all_settings().filter(|setting| parameters.contains_key(setting.name)) {
        assert!(whole.contains(&format!("parameters('{}')", setting.name)), "{} is no app setting", setting.name);
    }
    for (name, parameter) in parameters {
        assert!(
            parameter["metadata"]["description"].as_str().is_some_and(|text| text.len() > 10),
            "{name} is not described"
        );
    }
    assert_eq!(parameters["INSTANCE_SETTINGS"]["type"], "secureObject");
}

#[test]
fn the_scaler_has_the_roles_it_needs_where_it_needs_them_and_no_others() {
    if no_python() {
        return;
    }
    let resolved = resolve(&template(), &example()).expect("the template as it is");
    let mut given = BTreeSet::new();
    for item in resolved["resources"].as_array().expect("a list") {
        let resource = &item["resource"];
        if resource["type"] != "Microsoft.Authorization/roleAssignments" {
            continue;
        }
        let role = resource["properties"]["roleDefinitionId"].as_str().and_then(|id| id.rsplit('/').next());
        let scope = resource["scope"].as_str().map_or_else(|| "resource group".to_owned(), kind_of);
        given.insert((role.unwrap_or_default().to_owned(), scope));
        assert_eq!(resource["properties"]["principalId"], resolved["outputs"]["identityPrincipalId"]);
        assert_eq!(resource["properties"]["principalType"], "ServicePrincipal");
    }
    let expected: BTreeSet<_> = ROLES.iter().map(|(role, scope)| ((*role).to_owned(), (*scope).to_owned())).collect();
    assert_eq!(given, expected);
}

/// Azure does not allow changing the principal of an assignment (`RoleAssignmentUpdateNotPermitted`), and an assignment whose
/// scope is elsewhere outlives the app's resource group.
#[test]
fn an_app_that_was_taken_down_can_be_deployed_again() {
    if no_python() {
        return;
    }
    let mut elsewhere = example();
    for (name, group) in [("AZURE_RESOURCE_GROUP", "containers-rg"), ("SB_RESOURCE_GROUP", "messaging-rg")] {
        elsewhere["parameters"][name] = json!({"value": group});
    }
    let left_behind = |principal: &str| -> BTreeMap<String, Value> {
        let resolved = resolve_as(&template(), &elsewhere, &[principal]).expect("the template as it is");
        let assignments = resolved["resources"].as_array().expect("a list").iter();
        let outside = assignments.filter(|item| item["resource"]["type"] == "Microsoft.Authorization/roleAssignments");
        let named = outside.map(|item| (text(&item["id"]), item["resource"]["properties"]["principalId"].clone()));
        named.filter(|(id, _)| !id.contains("/resourceGroups/my-rg/")).collect()
    };
    let first = left_behind("00000000-0000-0000-0000-0000000000a1");
    assert_eq!(first.len(), 3, "{first:?}");
    assert_eq!(first, left_behind("00000000-0000-0000-0000-0000000000a1"), "deploying twice is safe");
    for (id, principal) in left_behind("00000000-0000-0000-0000-0000000000a2") {
        assert!(first.get(&id).is_none_or(|old| *old == principal), "{id} cannot be given to {principal}");
    }
}

#[test]
fn the_workers_identity_may_be_given_to_groups_and_is_assigned_once() {
    if no_python() {
        return;
    }
    let mut parameters = example();
    let assignments = |parameters: &Value| {
        let resolved = resolve(&template(), parameters).expect("the template with an identity of the workers");
        let kinds =
            resources(&resolved).filter(|resource| resource["type"] == "Microsoft.Authorization/roleAssignments");
        (kinds.count(), app_settings(&resolved)["ACI_IDENTITY"].clone())
    };
    let puller = parameters["parameters"]["ACR_IDENTITY"]["value"].clone();
    let workers = puller
        .as_str()
        .expect("it is in the example")
        .replace("userAssignedIdentities/", "userAssignedIdentities/other-");
    parameters["parameters"]["ACI_IDENTITY"] = json!({ "value": workers });
    assert_eq!(assignments(&parameters), (ROLES.len() + 1, workers));
    parameters["parameters"]["ACI_IDENTITY"] = json!({ "value": puller });
    assert_eq!(assignments(&parameters).0, ROLES.len(), "the identity that pulls the image has its assignment");
}

#[test]
fn key_vault_references_are_read_as_the_identity_that_the_app_has() {
    if no_python() {
        return;
    }
    let resolved = resolve(&template(), &example()).expect("the template as it is");
    let site = resources(&resolved).find(|resource| resource["type"] == "Microsoft.Web/sites").expect("the app");
    let identity = site["properties"]["keyVaultReferenceIdentity"].as_str().expect("without it the app asks as nobody");
    let assigned = site["identity"]["userAssignedIdentities"].as_object().expect("identities by id");
    assert!(assigned.contains_key(identity), "{identity} is not among {assigned:?}");
}

#[test]
fn what_is_not_wanted_is_not_made() {
    if no_python() {
        return;
    }
    let mut parameters = example();
    for name in ["alertEmail", "ACR_IDENTITY"] {
        parameters["parameters"].as_object_mut().expect("an object").remove(name);
    }
    let resolved = resolve(&template(), &parameters).expect("both are optional");
    let kinds: Vec<_> = resources(&resolved).map(|resource| resource["type"].as_str().unwrap_or_default()).collect();
    assert!(!kinds.contains(&"Microsoft.Insights/actionGroups"));
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "Microsoft.Authorization/roleAssignments").count(),
        ROLES.len() - 1
    );
    let alert = resources(&resolved).find(|resource| resource["type"] == "Microsoft.Insights/scheduledQueryRules");
    assert_eq!(alert.expect("the alert itself")["properties"]["actions"]["actionGroups"], json!([]));
}

#[test]
fn nothing_can_be_reached_with_a_key_or_a_password() {
    if no_python() {
        return;
    }
    let resolved = resolve(&template(), &example()).expect("the template as it is");
    let properties = |kind: &str| {
        let found = resources(&resolved).find(|resource| resource["type"] == kind);
        found.unwrap_or_else(|| panic!("there is no {kind}"))["properties"].clone()
    };
    assert_eq!(properties("Microsoft.Storage/storageAccounts")["allowSharedKeyAccess"], false);
    assert_eq!(properties("Microsoft.Insights/components")["DisableLocalAuth"], true);
    assert_eq!(properties("Microsoft.Web/sites/basicPublishingCredentialsPolicies")["allow"], false);
    let app = properties("Microsoft.Web/sites");
    assert_eq!(app["functionAppConfig"]["runtime"], json!({"name": "custom", "version": "1.0"}));
    assert_eq!(app["functionAppConfig"]["deployment"]["storage"]["authentication"]["type"], "UserAssignedIdentity");
}

#[test]
fn a_template_that_azure_would_refuse_is_refused_here() {
    if no_python() {
        return;
    }
    let text = template().to_string();
    let broken = [
        ("variables('planName')]\",\"prop", "variables('plamName')]\",\"prop", "there is no variable plamName"),
        ("parameters('alertEmail')))]", "parameters('alertMail')))]", "there is no parameter alertMail"),
        ("uniqueString(", "uniqeString(", "the function uniqeString"),
        ("'-identity')]", "'-identity']", "cannot be read from character"),
        ("'/scm')]", "'/scm'))]", "goes on after its end"),
        ("\"dependsOn\":[\"[variables('storageId')]\"]", "\"dependsOn\":[]", "without waiting for it"),
        ("\"dependsOn\":[\"[variables('storageId')]\"]", "\"dependsOn\":[\"nowhere\"]", "could wait for: nowhere"),
    ];
    for (right, wrong, reason) in broken {
        assert!(text.contains(right), "{right} is no longer in the template");
        let template = serde_json::from_str(&text.replacen(right, wrong, 1)).expect("still JSON");
        let refusal = resolve(&template, &example()).map(drop).expect_err(reason);
        assert!(refusal.contains(reason), "{reason:?} is not in {refusal}");
    }
    for (name, value, reason) in [
        ("ACI_MAX_INSTANCES", json!(5001), "ACI_MAX_INSTANCES is out of its range"),
        ("ACI_MAX_INSTANCES", json!("200"), "ACI_MAX_INSTANCES is no int"),
        ("LOG_FORMAT", json!("xml"), "LOG_FORMAT has a value that is not allowed"),
        ("ACI_IMGE", json!("x"), "there is no parameter ACI_IMGE"),
    ] {
        let mut parameters = example();
        parameters["parameters"][name] = json!({"value": value});
        let refusal = resolve(&template(), &parameters).map(drop).expect_err(reason);
        assert!(refusal.contains(reason), "{reason:?} is not in {refusal}");
    }
}

/// The resources that would be deployed, or why none would.
fn resolve(template: &Value, parameters: &Value) -> Result<Value, String> {
    resolve_as(template, parameters, &[])
}

/// The same for an identity with this principal.
fn resolve_as(template: &Value, parameters: &Value, principal: &[&str]) -> Result<Value, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&folder.path().join("template"), &template.to_string());
    write(&folder.path().join("parameters"), &parameters.to_string());
    let mut command = Command::new("python3");
    command.arg(repository().join("tests/deploy/template.py")).args(["template", "parameters"]).args(principal);
    command.current_dir(&folder);
    let output = command.output().expect("Python is there");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).expect("the program prints JSON"))
}

fn resources(resolved: &Value) -> impl Iterator<Item = &Value> {
    resolved["resources"].as_array().into_iter().flatten().map(|item| &item["resource"])
}

fn app_settings(resolved: &Value) -> BTreeMap<String, String> {
    let settings = resources(resolved).find(|resource| resource["type"] == "Microsoft.Web/sites/config");
    serde_json::from_value(settings.expect("the app's settings")["properties"].clone()).expect("names and texts")
}

/// The type of the resource that an id names.
fn kind_of(id: &str) -> String {
    let (_, path) = id.rsplit_once("/providers/").expect("the id of a resource");
    let mut parts = path.split('/');
    let provider = parts.next().unwrap_or_default();
    parts.step_by(2).fold(provider.to_owned(), |kind, part| format!("{kind}/{part}"))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn template() -> Value {
    read("docs/azuredeploy.json")
}

fn example() -> Value {
    read("docs/azuredeploy.parameters.example.json")
}

fn read(name: &str) -> Value {
    let content = fs::read_to_string(repository().join(name)).expect("a file of the repository");
    serde_json::from_str(&content).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The folder of Azure's schemas, which are not part of this repository.
#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
fn specs() -> Option<String> {
    let specs = variable("ACI_SCALER_SPECS");
    if specs.is_none() {
        eprintln!("skipped: ACI_SCALER_SPECS does not say where Azure's schemas are");
    }
    Some(format!("{}/arm-json-schemas", specs?))
}
