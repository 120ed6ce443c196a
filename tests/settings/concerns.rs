//! What holds for single settings, and between some of them.

use aci_scaler::container_group::{EnvironmentValue, Registry};
use aci_scaler::message::SubscriptionName;
use aci_scaler::settings::{ContainerLines, LogSettings, ServiceBusAuth, Settings, unknown_settings};
use aci_scaler::telemetry::{self, LogFormat};

use crate::{IDENTITY, errors, load, minimal, variables};

#[test]
fn the_least_memory_is_at_most_the_most() {
    insta::assert_snapshot!(
        errors(&[("ACI_MAX_MEMORY_GB", "0.4")]),
        @r#"ACI_MIN_MEMORY_GB="0.5": expected at most ACI_MAX_MEMORY_GB (0.4)"#
    );
    let settings = load(&[("ACI_MIN_MEMORY_GB", "4"), ("ACI_MAX_MEMORY_GB", "4.0")]).unwrap();
    assert_eq!(settings.aci.min_memory, settings.aci.max_memory);
}

#[test]
fn the_image_is_pulled_with_a_password_or_with_an_identity() {
    let server = ("ACR_SERVER", "myregistry.azurecr.io");
    let (username, password, identity) = (("ACR_USERNAME", "u"), ("ACR_PASSWORD", "p"), ("ACR_IDENTITY", IDENTITY));
    let registry = |pairs: &[_]| load(pairs).map(|settings| settings.registry);
    assert!(matches!(registry(&[server, username, password]), Ok(Some(Registry::Password { .. }))));
    assert!(matches!(registry(&[server, identity]), Ok(Some(Registry::Identity { .. }))));
    insta::assert_snapshot!(errors(&[server, username]), @"ACR_PASSWORD is not set: ACR_SERVER, ACR_USERNAME and ACR_PASSWORD go together (or ACR_SERVER and ACR_IDENTITY)");
    insta::assert_snapshot!(errors(&[identity]), @"ACR_SERVER is not set: ACR_IDENTITY needs it");
    insta::assert_snapshot!(errors(&[server, username, password, identity]), @r#"ACR_IDENTITY="/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller": expected either it or ACR_USERNAME and ACR_PASSWORD"#);
}

#[test]
fn a_cloud_has_its_own_addresses() {
    let cloud = |pairs: &[_]| {
        let mut environment = minimal();
        environment.remove("SB_CONNECTION_STR");
        environment.extend(variables(pairs));
        let settings = Settings::from_environment(&environment).unwrap();
        assert!(matches!(settings.service_bus.auth, ServiceBusAuth::Entra));
        let azure = settings.azure;
        format!("{} {} {}", azure.resource_manager, azure.resource_manager_audience, settings.service_bus.host)
    };
    let namespace = ("SB_NAMESPACE", "myns");
    insta::assert_snapshot!(cloud(&[namespace]), @"https://management.azure.com/ https://management.azure.com myns.servicebus.windows.net");
    insta::assert_snapshot!(cloud(&[namespace, ("AZURE_CLOUD", "azureusgovernment")]), @"https://management.usgovcloudapi.net/ https://management.usgovcloudapi.net myns.servicebus.usgovcloudapi.net");
    insta::assert_snapshot!(cloud(&[namespace, ("AZURE_CLOUD", "AzureChinaCloud")]), @"https://management.chinacloudapi.cn/ https://management.chinacloudapi.cn myns.servicebus.chinacloudapi.cn");
    let endpoint = ("AZURE_RESOURCE_MANAGER_ENDPOINT", "http://localhost:7072");
    insta::assert_snapshot!(cloud(&[namespace, ("AZURE_CLOUD", "AzureChinaCloud"), endpoint]), @"http://localhost:7072/ https://management.chinacloudapi.cn myns.servicebus.chinacloudapi.cn");
}

#[test]
fn tokens_for_resource_manager_go_to_the_cloud_itself_or_stay_on_this_machine() {
    let load = |cloud: &str, endpoint: &str| {
        load(&[("AZURE_CLOUD", cloud), ("AZURE_RESOURCE_MANAGER_ENDPOINT", endpoint)]).map(drop)
    };
    for local in ["http://127.9.9.9:1", "http://[::1]:7072/", "http://localhost", "https://localhost:7072"] {
        assert!(load("AzureCloud", local).is_ok(), "{local}");
    }
    for (cloud, own) in [
        ("AzureCloud", "https://management.azure.com"),
        ("AzureCloud", "https://Management.Azure.com:443/"),
        ("AzureUSGovernment", "https://management.usgovcloudapi.net"),
        ("AzureChinaCloud", "https://management.chinacloudapi.cn"),
    ] {
        assert!(load(cloud, own).is_ok(), "{cloud}: {own}");
    }
    for elsewhere in [
        "https://arm.example:444",
        "https://management.azure.com:444",
        "http://management.azure.com",
        "https://management.azure.com.example",
        "https://management.usgovcloudapi.net",
        "https://localhost.example",
        "https://10.0.0.4",
        "ftp://localhost",
    ] {
        let refusal = load("AzureCloud", elsewhere).expect_err(elsewhere).to_string();
        assert!(refusal.contains("expected the cloud's own address"), "{elsewhere}: {refusal}");
    }
}

#[test]
fn an_unknown_cloud_is_not_also_held_against_its_address() {
    let azure =
        [("AZURE_CLOUD", "AzureGermanCloud"), ("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://management.azure.com")];
    insta::assert_snapshot!(errors(&azure), @r#"AZURE_CLOUD="AzureGermanCloud": expected AzureCloud, AzureUSGovernment or AzureChinaCloud"#);
}

#[test]
fn the_namespace_is_taken_from_the_host_if_the_host_names_it() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.service_bus.namespace, "myns");
    assert_eq!(settings.service_bus.resource_group, "rg");
    let settings = load(&[("SB_NAMESPACE", "primary"), ("SB_RESOURCE_GROUP", "messaging")]).unwrap();
    assert_eq!(settings.service_bus.namespace, "primary");
    assert_eq!(settings.service_bus.host, "myns.servicebus.windows.net");
    assert_eq!(settings.service_bus.resource_group, "messaging");
    let emulator = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true";
    insta::assert_snapshot!(errors(&[("SB_CONNECTION_STR", emulator)]), @"SB_NAMESPACE is not set: the host 127.0.0.1 in SB_CONNECTION_STR does not say it");
    assert!(load(&[("SB_CONNECTION_STR", emulator), ("SB_NAMESPACE", "local")]).is_ok());
}

#[test]
fn a_connection_string_for_another_topic_is_refused() {
    let connection = |entity: &str| format!("{};EntityPath={entity}", minimal()["SB_CONNECTION_STR"]);
    assert!(load(&[("SB_CONNECTION_STR", &connection("Files"))]).is_ok());
    insta::assert_snapshot!(errors(&[("SB_CONNECTION_STR", &connection("other"))]), @r#"SB_CONNECTION_STR=(secret): expected an EntityPath that is SB_TOPIC_NAME ("files"), or none"#);
}

#[test]
fn lists_and_regions_are_written_in_one_way() {
    let settings = load(&[("SKIP_SUBSCRIPTIONS", " Small, ,601-1GB,"), ("ACI_LOCATION", "West Europe")]).unwrap();
    assert_eq!(settings.processing.skip_subscriptions, ["601-1gb", "small"].map(SubscriptionName::from).into());
    assert_eq!(settings.aci.location, "westeurope");
}

#[test]
fn instance_variables_go_to_the_container_without_the_prefix_and_as_secrets_unless_they_are_listed() {
    let plain = |listed: &str| -> Vec<(String, String)> {
        let settings = load(&[
            ("INSTANCE_TOPIC", " files "),
            ("INSTANCE_Mode", "fast"),
            ("INSTANCE_DATABASE_URL", "postgres://user:password@db"),
            ("INSTANCE_SUBSCRIPTION_ENV_NAME", "SUBSCRIPTION"),
            ("ACI_PLAIN_ENV", listed),
        ]);
        let container = settings.unwrap().container;
        assert_eq!(container.subscription_variable.as_deref(), Some("SUBSCRIPTION"));
        assert_eq!(container.variables.keys().collect::<Vec<_>>(), ["DATABASE_URL", "Mode", "TOPIC"]);
        let plain = container.variables.into_iter().filter_map(|(name, value)| match value {
            EnvironmentValue::Plain(value) => Some((name, value)),
            EnvironmentValue::Secure(_) => None,
        });
        plain.collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(plain(""), []);
    assert_eq!(plain("Mode, TOPIC,"), [pair("Mode", "fast"), pair("TOPIC", " files ")]);
    assert_eq!(plain("*").len(), 3);
}

#[test]
fn a_setting_of_an_earlier_version_is_accepted_and_warned_of() {
    let environment = |value: &str| variables(&[("ACI_SECURE_ENV", value)]);
    assert!(load(&[("ACI_SECURE_ENV", "LICENCE,NOT_THERE")]).is_ok());
    let warnings: Vec<_> = unknown_settings(&environment("LICENCE")).iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["ACI_SECURE_ENV does nothing any more: all container variables are secret but those that ACI_PLAIN_ENV lists"]
    );
    assert_eq!(unknown_settings(&environment(" ")), []);
}

#[test]
fn the_registry_is_that_of_the_image() {
    let credentials = |server| [("ACR_SERVER", server), ("ACR_USERNAME", "u"), ("ACR_PASSWORD", "p")];
    let with = |image, server| [&credentials(server)[..], &[("ACI_IMAGE", image)]].concat();
    for (image, server) in [
        ("MyRegistry.azurecr.io/worker", "myregistry.AzureCR.io"),
        ("me/worker:1", "docker.io"),
        ("worker", "index.docker.io"),
    ] {
        assert!(load(&with(image, server)).is_ok(), "{image} {server}");
    }
    insta::assert_snapshot!(errors(&credentials("other.azurecr.io")), @r#"ACR_SERVER="other.azurecr.io": expected the registry of ACI_IMAGE (myregistry.azurecr.io)"#);
    insta::assert_snapshot!(errors(&with("worker:1.4.2", "myregistry.azurecr.io")), @r#"ACR_SERVER="myregistry.azurecr.io": expected the registry of ACI_IMAGE (docker.io)"#);
    insta::assert_snapshot!(errors(&with("Worker", "myregistry.azurecr.io")), @r#"ACI_IMAGE="Worker": expected an image, such as myregistry.azurecr.io/worker:1.4.2, with no upper case but in its tag, and a tag after a colon"#);
}

#[test]
fn a_placeholder_that_there_is_not_is_refused_and_every_other_brace_is_a_brace() {
    insta::assert_snapshot!(errors(&[("INSTANCE_A", "{{scaler.atempt}}"), ("INSTANCE_B", "{{scaler.attempt"), ("ACI_PLAIN_ENV", "A")]), @r"
    INSTANCE_A=(secret): expected message_id, subscription, sequence_number, file_size_mb, attempt, max_attempts, memory_gb or cpu, and }}, after {{scaler.; did you mean attempt?
    INSTANCE_B=(secret): expected message_id, subscription, sequence_number, file_size_mb, attempt, max_attempts, memory_gb or cpu, and }}, after {{scaler.
    ");
    assert!(load(&[("INSTANCE_A", "{{scaler.cpu}} {{ .Values }} {} {{scaler}}")]).is_ok());
    let template = |value: &str| {
        let variable = format!(r#"{{"name": "A", "secureValue": "{value}"}}"#);
        let worker = format!(r#"{{"name": "worker", "properties": {{"environmentVariables": [{variable}]}}}}"#);
        format!(r#"{{"properties": {{"containers": [{worker}]}}}}"#)
    };
    insta::assert_snapshot!(errors(&[("ACI_GROUP_TEMPLATE", &template("{{scaler.core}}"))]), @"ACI_GROUP_TEMPLATE=(secret): properties.containers[0].properties.environmentVariables[0].secureValue: expected message_id, subscription, sequence_number, file_size_mb, attempt, max_attempts, memory_gb or cpu, and }}, after {{scaler.");
    let overrides = format!(r#"{{"601-1GB": {{"template": {}}}}}"#, template("{{scaler.file_size}}"));
    insta::assert_snapshot!(errors(&[("ACI_SUBSCRIPTION_OVERRIDES", &overrides)]), @"ACI_SUBSCRIPTION_OVERRIDES=(secret): 601-1GB.template.properties.containers[0].properties.environmentVariables[0].secureValue: expected message_id, subscription, sequence_number, file_size_mb, attempt, max_attempts, memory_gb or cpu, and }}, after {{scaler.; did you mean file_size_mb?");
    assert!(load(&[("ACI_GROUP_TEMPLATE", &template("{{scaler.cpu}} {{ x }}"))]).is_ok());
}

#[test]
fn instance_variables_that_no_container_can_have_are_refused() {
    insta::assert_snapshot!(errors(&[("INSTANCE_", "a"), ("INSTANCE_1A", "a"), ("INSTANCE_A-B", "a"), ("INSTANCE_C", "\u{FFFD}")]), @r"
    INSTANCE_=(secret): expected a name of 1 to 63 letters, digits and _ after the prefix, with no digit first
    INSTANCE_1A=(secret): expected a name of 1 to 63 letters, digits and _ after the prefix, with no digit first
    INSTANCE_A-B=(secret): expected a name of 1 to 63 letters, digits and _ after the prefix, with no digit first
    INSTANCE_C=(secret): expected UTF-8
    ");
    insta::assert_snapshot!(errors(&[("INSTANCE_Topic", "a"), ("INSTANCE_TOPIC", "b")]), @"INSTANCE_Topic=(secret): it differs from INSTANCE_TOPIC only in case");
    insta::assert_snapshot!(errors(&[("INSTANCE_TOPIC", "a"), ("INSTANCE_SUBSCRIPTION_ENV_NAME", "topic")]), @r#"INSTANCE_SUBSCRIPTION_ENV_NAME="topic": INSTANCE_TOPIC sets that variable already"#);
    insta::assert_snapshot!(errors(&[("INSTANCE_TOPIC", "a"), ("ACI_PLAIN_ENV", "TOPIC,LICENCE")]), @r#"ACI_PLAIN_ENV="TOPIC,LICENCE": there is no INSTANCE_LICENCE"#);
}

#[test]
fn the_log_is_set_before_all_else() {
    let logs = |pairs: &[_]| LogSettings::from_environment(&variables(pairs)).unwrap();
    assert_eq!(logs(&[]), LogSettings::default());
    let json = logs(&[("LOG_LEVEL", "WARNING"), ("LOG_FORMAT", "JSON")]);
    let expected = LogSettings { directives: "warn".to_owned(), format: LogFormat::Json, ..LogSettings::default() };
    assert_eq!(json, expected);
    assert_eq!(logs(&[("LOG_CONTAINER_LINES", "Failures")]).container_lines, ContainerLines::Failures);
    assert!(LogSettings::from_environment(&variables(&[("LOG_CONTAINER_LINES", "some")])).is_err());
    assert_eq!(logs(&[("LOG_LEVEL", "Info, aci_scaler=debug")]).directives, "info,aci_scaler=debug");
    assert_eq!(logs(&[("LOG_LEVEL", "info"), ("RUST_LOG", "aci_scaler=debug")]).directives, "aci_scaler=debug");
    assert!(LogSettings::from_environment(&variables(&[("LOG_LEVEL", "inof")])).is_err());
}

#[test]
fn rust_log_may_be_what_the_log_can_be_filtered_by_and_nothing_else() {
    for directives in [
        "WARN",
        "info, aci_scaler=debug",
        "info,,aci_scaler::azure=trace,",
        "aci_scaler[{message_id}]=trace",
        "[pass]",
        "aci_scaler=",
        "3",
        ",",
        "inof",
        "aci_scaler",
        "aci_scaler=loud",
        "info aci_scaler=debug",
    ] {
        let read = LogSettings::from_environment(&variables(&[("RUST_LOG", directives)]));
        let filter = telemetry::subscriber(directives, LogFormat::Text, std::io::sink, std::io::sink);
        assert_eq!(
            read.map(|logs| logs.directives).ok(),
            filter.is_ok().then(|| directives.to_owned()),
            "{directives}"
        );
    }
    insta::assert_snapshot!(errors(&[("RUST_LOG", "inof")]), @r#"RUST_LOG="inof": expected error, warn, info, debug, trace or off, or a list such as info,aci_scaler=debug"#);
}
