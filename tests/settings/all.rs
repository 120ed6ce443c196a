//! What holds for all settings.

use std::cell::RefCell;
use std::collections::BTreeSet;

use aci_scaler::settings::{Environment, Fallback, Settings, all_settings};

use crate::{CANARY, IDENTITY, Variables, errors, load, minimal, variables};

#[test]
fn what_is_required_is_enough_and_the_rest_has_defaults() {
    insta::assert_debug_snapshot!(load(&[]).unwrap());
}

#[test]
fn an_empty_value_is_as_good_as_none() {
    let settings = load(&[("ACI_MAX_INSTANCES", ""), ("ACR_SERVER", " "), ("INSTANCE_TOPIC", "")]).unwrap();
    assert_eq!(settings.aci.max_instances, 200);
    assert!(settings.registry.is_none());
    assert!(settings.container.variables.is_empty());
    insta::assert_snapshot!(
        errors(&[("ACI_IMAGE", "")]),
        @"ACI_IMAGE is not set: expected an image, such as myregistry.azurecr.io/worker:1.4.2, with upper case only in its tag, and a tag after a colon"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let environment = variables(&[
        ("AZURE_SUBSCRIPTION_ID", "production"),
        ("AZURE_CLOUD", "Azure"),
        ("ACI_NAME_PREFIX", "Worker"),
        ("ACI_MAX_INSTANCES", "many"),
        ("ACI_DEFAULT_CPU", "0"),
        ("ACI_MIN_MEMORY_GB", "16"),
        ("ACI_MAX_MEMORY_GB", "8"),
        ("ACR_PASSWORD", CANARY),
        ("SB_CONNECTION_STR", CANARY),
        ("PROVISIONING_DRY_RUN", "maybe"),
        ("INSTANCE_A-B", CANARY),
        ("LOG_LEVEL", "inof"),
    ]);
    insta::assert_snapshot!(Settings::from_environment(&environment).unwrap_err(), @r#"
    AZURE_CLOUD="Azure": expected AzureCloud, AzureUSGovernment or AzureChinaCloud
    AZURE_SUBSCRIPTION_ID="production": expected a GUID, such as 00000000-0000-0000-0000-000000000001
    AZURE_RESOURCE_GROUP is not set: expected a resource group's name (1 to 90 letters, digits, and any of -_.(), but no dot at its end)
    ACI_IMAGE is not set: expected an image, such as myregistry.azurecr.io/worker:1.4.2, with upper case only in its tag, and a tag after a colon
    ACI_NAME_PREFIX="Worker": expected a text of 1 to 42 lower-case letters, digits and single hyphens, with a letter or digit at both ends
    ACI_LOCATION is not set: expected a region, such as westeurope
    ACI_MAX_INSTANCES="many": expected a whole number from 0 to 5000
    ACI_DEFAULT_CPU="0": expected a number above 0 and up to 31, with at most 2 decimals
    ACI_MIN_MEMORY_GB="16": expected at most ACI_MAX_MEMORY_GB (8)
    ACR_SERVER is not set: ACR_SERVER, ACR_USERNAME and ACR_PASSWORD go together (or ACR_SERVER and ACR_IDENTITY)
    ACR_USERNAME is not set: ACR_SERVER, ACR_USERNAME and ACR_PASSWORD go together (or ACR_SERVER and ACR_IDENTITY)
    SB_CONNECTION_STR=(secret): part 1 has no =
    SB_TOPIC_NAME is not set: expected a topic's name (1 to 260 letters, digits, and any of -_./ between them)
    PROVISIONING_DRY_RUN="maybe": expected true or false (or yes, no, 1, 0)
    INSTANCE_A-B=(secret): expected a name of 1 to 63 letters, digits and _ after the prefix, with no digit first
    LOG_LEVEL="inof": expected error, warn, info, debug, trace or off, or a list such as info,aci_scaler=debug
    "#);
}

/// Values that each setting refuses, alone or with the others that it depends on.
const REFUSED: [(&str, &[&str]); 50] = [
    ("AZURE_SUBSCRIPTION_ID", &["production", "00000000000000000000000000000001", "{0}"]),
    ("AZURE_RESOURCE_GROUP", &["a/b", "ends.", "a b"]),
    ("AZURE_CLIENT_ID", &["my-identity"]),
    ("AZURE_CLOUD", &["Azure", "AzureGermanCloud"]),
    (
        "AZURE_RESOURCE_MANAGER_ENDPOINT",
        &[
            "management.azure.com",
            "http://management.azure.com",
            "http://127.0.0.1.example.com",
            "https://management.azure.com/subscriptions",
            "https://management.azure.com?a=b",
            "https://management.azure.com#a",
            "https://user:password@management.azure.com",
            "ftp://127.0.0.1",
        ],
    ),
    ("ACI_IMAGE", &["https://myregistry.azurecr.io/worker", "worker :1", "me/Worker", "me/worker:", "{{image}}"]),
    ("ACI_NAME_PREFIX", &["Worker", "-a", "a--b", "p234567890123456789012345678901234567890123"]),
    ("ACI_LOCATION", &["west-europe", "westeurope;"]),
    ("ACI_MAX_INSTANCES", &["-1", "5001", "many"]),
    ("ACI_DEFAULT_CPU", &["0", "0.001", "31.01", "two"]),
    ("ACI_CPU_MULTIPLIER", &["-1", "1001", "0.00001", "many"]),
    ("ACI_MAX_CPU", &["0", "1.99", "32"]),
    ("ACI_MEMORY_MULTIPLIER", &["0", "-8", "1001", "8x"]),
    ("ACI_MIN_MEMORY_GB", &["0", "0.25", "241"]),
    ("ACI_MAX_MEMORY_GB", &["0", "0.4", "1.55", "240.1"]),
    ("ACI_OOM_MEMORY_FACTOR", &["0", "0.9", "10.1", "1.125", "twice"]),
    ("ACI_PROVISIONING_TIMEOUT_MINUTES", &["0", "1441"]),
    ("ACI_MAX_RUNTIME_MINUTES", &["-1", "43201"]),
    ("ACR_SERVER", &["myregistry.azurecr.io", "https://myregistry.azurecr.io", "myregistry.azurecr.io/worker"]),
    ("ACR_USERNAME", &["user", "us\ner"]),
    ("ACR_PASSWORD", &["password", "pass\nword"]),
    ("ACR_IDENTITY", &["puller", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/app", IDENTITY]),
    ("ACI_IDENTITY", &["worker", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/app"]),
    ("ACI_SUBNET_ID", &["workers", IDENTITY]),
    ("ACI_TAGS", &["team", "a=1,A=2", "managed_by=me", "Keep=true", "a/b=c", "=x"]),
    ("ACI_LOG_ANALYTICS_WORKSPACE_ID", &["workspace", "00000000-0000-0000-0000-000000000001"]),
    ("ACI_LOG_ANALYTICS_WORKSPACE_KEY", &["key", "two\nlines"]),
    ("ACI_GROUP_TEMPLATE", &["not-there.json", "{", "{\"propertys\": {}}", "{\"resources\": []}"]),
    ("ACI_SUBSCRIPTION_OVERRIDES", &["not-there.json", "{\"a b\": {}}", "{\"a\": 1}", "{\"a\": {\"cpus\": 1}}"]),
    (
        "SB_CONNECTION_STR",
        &[
            "Endpoint=sb://myns.servicebus.windows.net",
            "Endpoint=sb://h.example;SharedAccessKeyName=n;SharedAccessKey=k",
            "Endpoint=sb://myns.servicebus.windows.net;SharedAccessKeyName=n;SharedAccessKey=k;TransportType=AmqpWebSockets",
            "Endpoint=sb://myns.servicebus.windows.net;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true",
        ],
    ),
    ("SB_NAMESPACE", &["myns.servicebus.windows.net", "1ns", "ns-"]),
    ("SB_TOPIC_NAME", &["/files", "files?", "a b"]),
    ("SB_RESOURCE_GROUP", &["a/b"]),
    ("SKIP_SUBSCRIPTIONS", &["small;large", "a b"]),
    ("PROVISIONING_MAX_WORKERS", &["0", "65"]),
    ("PROVISIONING_PEEK_MAX", &["0", "251"]),
    ("PROVISIONING_PEEK_DEPTH", &["0", "1000001"]),
    ("PROVISIONING_RETRY_BACKOFF_SECONDS", &["-1", "1801"]),
    ("PROVISIONING_MAX_ATTEMPTS", &["0", "1000"]),
    ("PROVISIONING_DELETE_ORPHANS", &["on", "2"]),
    ("PROVISIONING_ORPHAN_GRACE_MINUTES", &["-1", "1441"]),
    ("PROVISIONING_DRY_RUN", &["maybe"]),
    ("PASS_DEADLINE_SECONDS", &["9", "261"]),
    ("SCALE_EVERY_SECONDS", &["-1", "3601"]),
    ("INSTANCE_SUBSCRIPTION_ENV_NAME", &["A-B", "A B", "A=B", "1A"]),
    ("ACI_PLAIN_ENV", &["A-B", "NOT_THERE", "*,A"]),
    ("LOG_LEVEL", &["inof", "info,debgu", "info,aci_scaler=loud", "3=4=5"]),
    ("RUST_LOG", &["inof", "aci_scaler", "info,debgu", "aci_scaler=loud"]),
    ("LOG_FORMAT", &["xml"]),
    ("LOG_CONTAINER_LINES", &["some"]),
];

#[test]
fn every_setting_refuses_what_it_cannot_use() {
    let tested: BTreeSet<_> = REFUSED.iter().map(|(name, _)| *name).chain(["INSTANCE_*"]).collect();
    assert_eq!(tested, all_settings().map(|setting| setting.name).collect());
    for (name, values) in REFUSED {
        for value in values.iter().copied().chain(["not UTF-8: \u{FFFD}"]) {
            let errors = load(&[(name, value)]).expect_err(&format!("{name}={value}")).to_string();
            assert!(errors.contains(name), "{name}={value}: {errors}");
        }
        // What is not UTF-8 is refused for what it is, not for what depends on it.
        let errors = errors(&[(name, "\u{FFFD}")]);
        assert!(errors.starts_with(&format!("{name}=")) && !errors.contains('\n'), "{errors}");
    }
}

#[test]
fn a_reference_that_was_not_resolved_is_refused_wherever_it_stands() {
    const REFERENCES: [&str; 3] = [
        "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/s)",
        " @microsoft.keyvault(VaultName=v;SecretName=s)",
        "@Microsoft.AppConfiguration(Endpoint=https://e; Key=k)",
    ];
    let credentials = ["AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"];
    let ours = all_settings().map(|setting| setting.name).filter(|name| *name != "INSTANCE_*");
    for name in ours.chain(credentials).chain(["INSTANCE_API_KEY"]) {
        for reference in REFERENCES {
            let errors = errors(&[(name, reference)]);
            assert!(errors.starts_with(&format!("{name}=")), "{name}: {errors}");
            let said = errors.contains(", not a Key Vault reference that the Function App has not resolved");
            assert!(said && !errors.contains('\n'), "{name}: {errors}");
        }
    }
    // No part of a value is ever resolved.
    let key =
        format!("Endpoint=sb://myns.servicebus.windows.net;SharedAccessKeyName=n;SharedAccessKey={}", REFERENCES[0]);
    assert!(errors(&[("SB_CONNECTION_STR", &key)]).contains("not a Key Vault reference"));
    assert!(load(&[("SOMEBODY_ELSES", REFERENCES[0])]).is_ok());
}

#[test]
fn what_is_required_is_missed() {
    let required: BTreeSet<_> =
        all_settings().filter(|setting| setting.fallback == Fallback::Required).map(|setting| setting.name).collect();
    assert_eq!(required.len(), 6);
    for name in required.into_iter().chain(["SB_CONNECTION_STR"]) {
        let mut environment = minimal();
        environment.remove(name);
        let errors = Settings::from_environment(&environment).unwrap_err();
        assert_eq!(errors.iter().count(), 1);
        assert!(errors.to_string().starts_with(&format!("{name} is not set: ")), "{errors}");
    }
}

#[test]
fn every_setting_that_is_read_is_in_the_list_and_the_other_way_round() {
    struct Recorder(Variables, RefCell<BTreeSet<String>>);
    impl Environment for Recorder {
        fn get(&self, name: &str) -> Option<String> {
            self.1.borrow_mut().insert(name.to_owned());
            self.0.get(name).cloned()
        }
        fn names(&self) -> Vec<String> {
            self.0.keys().cloned().collect()
        }
    }
    let recorder = Recorder(minimal(), RefCell::default());
    Settings::from_environment(&recorder).unwrap();
    let listed = all_settings().map(|setting| setting.name.to_owned()).filter(|name| name != "INSTANCE_*");
    assert_eq!(recorder.1.into_inner(), listed.collect());
}

/// A template with a secret.
fn template(secret: &str) -> String {
    let variable = format!("{{\"name\": \"A\", \"secureValue\": \"{secret}\"}}");
    format!(
        "{{\"properties\": {{\"containers\": [{{\"name\": \"worker\", \"properties\": {{\"environmentVariables\": [{variable}]}}}}]}}}}"
    )
}

#[test]
fn no_secret_is_ever_shown() {
    let secret = |name: &'static str| (name, CANARY);
    let connection =
        format!("Endpoint=sb://myns.servicebus.windows.net;SharedAccessKeyName=n;SharedAccessKey={CANARY}");
    let sas = format!("Endpoint=sb://myns.servicebus.windows.net;SharedAccessSignature=SharedAccessSignature {CANARY}");
    for connection in [connection.as_str(), &sas] {
        let accepted = load(&[
            ("SB_CONNECTION_STR", connection),
            ("ACR_SERVER", "myregistry.azurecr.io"),
            ("ACR_USERNAME", "user"),
            secret("ACR_PASSWORD"),
            secret("INSTANCE_API_TOKEN"),
            ("ACI_LOG_ANALYTICS_WORKSPACE_ID", "00000000-0000-0000-0000-000000000001"),
            secret("ACI_LOG_ANALYTICS_WORKSPACE_KEY"),
            ("ACI_GROUP_TEMPLATE", &template(CANARY)),
            ("ACI_SUBSCRIPTION_OVERRIDES", &format!("{{\"a\": {{\"template\": {}}}}}", template(CANARY))),
        ]);
        let shown = format!("{:?}", accepted.unwrap());
        assert!(shown.contains("myns") && !shown.contains(CANARY), "{shown}");
        for refused in [
            load(&[("SB_CONNECTION_STR", &connection.replace("Endpoint", "Host"))]),
            load(&[("SB_CONNECTION_STR", &format!("{connection};EntityPath=other"))]),
            load(&[("SB_NAMESPACE", connection)]),
            load(&[("AZURE_RESOURCE_MANAGER_ENDPOINT", &format!("https://user:{CANARY}@management.azure.com"))]),
            load(&[secret("ACR_PASSWORD")]),
            load(&[secret("ACI_GROUP_TEMPLATE")]),
            load(&[("ACI_GROUP_TEMPLATE", &template(CANARY).replace("secureValue", "secretValue"))]),
            load(&[("ACI_SUBSCRIPTION_OVERRIDES", &format!("{{\"a\": {{\"image\": \"{CANARY}:\"}}}}"))]),
            load(&[secret("INSTANCE_not.a.name")]),
        ] {
            let errors = refused.unwrap_err();
            let shown = format!("{errors} {errors:?}");
            assert!(!shown.contains(CANARY), "{shown}");
        }
    }
}
