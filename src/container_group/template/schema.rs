//! The properties that a container group can have, as Azure Resource Manager names them.
//!
//! This is the published schema of [`ApiVersion::V2025`]. What [`ApiVersion::V2023`] does not have, and what only Azure sets, is
//! marked. A test compares it with the schema.

use Kind::{Any, Flag, List, Number, Object, Objects, Text, TextMap, Texts, Whole, Word};

use super::ApiVersion;

/// The type of a property's value.
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    Flag,
    Word(&'static [&'static str]),
    Texts,
    /// An object with names of the user's choice, each with a text.
    TextMap,
    Object(&'static [Property]),
    List(&'static [Property]),
    /// An object with names of the user's choice, each with such an object.
    Objects(&'static [Property]),
    /// Any object.
    Any,
}

pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) since: ApiVersion,
    pub(super) required: bool,
    /// Only Azure sets it.
    pub(super) read_only: bool,
}

const fn of(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, since: ApiVersion::V2023, required: false, read_only: false }
}

const fn required(name: &'static str, kind: Kind) -> Property {
    Property { required: true, ..of(name, kind) }
}

const fn new(name: &'static str, kind: Kind) -> Property {
    Property { since: ApiVersion::V2025, ..of(name, kind) }
}

const fn shown(name: &'static str) -> Property {
    Property { read_only: true, ..of(name, Any) }
}

pub(super) const GROUP: &[Property] = &[
    of("location", Text),
    of("tags", TextMap),
    of("zones", Texts),
    of("identity", Object(IDENTITY)),
    of("properties", Object(PROPERTIES)),
    shown("id"),
    shown("name"),
    shown("type"),
    shown("apiVersion"),
    shown("systemData"),
    shown("dependsOn"),
    shown("scale"),
    // What `az resource show` adds.
    shown("changedTime"),
    shown("createdTime"),
    shown("etag"),
    shown("extendedLocation"),
    shown("kind"),
    shown("managedBy"),
    shown("plan"),
    shown("provisioningState"),
    shown("resourceGroup"),
    shown("sku"),
];

const IDENTITY: &[Property] = &[
    of("type", Word(&["SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "None"])),
    of("userAssignedIdentities", Objects(&[shown("principalId"), shown("clientId")])),
    shown("principalId"),
    shown("tenantId"),
];

const PROPERTIES: &[Property] = &[
    of("confidentialComputeProperties", Object(&[of("ccePolicy", Text)])),
    new("containerGroupProfile", Object(&[of("id", Text), of("revision", Whole)])),
    required("containers", List(CONTAINER)),
    of("diagnostics", Object(&[of("logAnalytics", Object(LOG_ANALYTICS))])),
    of("dnsConfig", Object(&[required("nameServers", Texts), of("options", Text), of("searchDomains", Text)])),
    of("encryptionProperties", Object(ENCRYPTION)),
    of("extensions", List(&[required("name", Text), of("properties", Object(EXTENSION))])),
    new(
        "identityAcls",
        Object(&[of("acls", List(&[of("access", ACCESS), of("identity", Text)])), of("defaultAccess", ACCESS)]),
    ),
    of("imageRegistryCredentials", List(CREDENTIAL)),
    of("initContainers", List(&[required("name", Text), required("properties", Object(INIT_CONTAINER))])),
    of("ipAddress", Object(IP_ADDRESS)),
    of("osType", Word(&["Windows", "Linux"])),
    of("priority", Word(&["Regular", "Spot"])),
    of("restartPolicy", Word(&["Always", "OnFailure", "Never"])),
    new(
        "secretReferences",
        List(&[required("identity", Text), required("name", Text), required("secretReferenceUri", Text)]),
    ),
    of("sku", Word(&["Standard", "Dedicated", "Confidential"])),
    new("standbyPoolProfile", Object(&[of("failContainerGroupCreateOnReuseFailure", Flag), of("id", Text)])),
    of("subnetIds", List(&[required("id", Text), of("name", Text)])),
    of("volumes", List(VOLUME)),
    shown("instanceView"),
    shown("isCreatedFromStandbyPool"),
    shown("isCustomProvisioningTimeout"),
    shown("provisioningState"),
    shown("provisioningTimeoutInSeconds"),
];

const CONTAINER: &[Property] = &[required("name", Text), required("properties", Object(CONTAINER_PROPERTIES))];

const CONTAINER_PROPERTIES: &[Property] = &[
    of("command", Texts),
    new("configMap", Object(&[of("keyValuePairs", TextMap)])),
    of("environmentVariables", List(VARIABLE)),
    of("image", Text),
    of("livenessProbe", Object(PROBE)),
    of("ports", List(PORT)),
    of("readinessProbe", Object(PROBE)),
    // The amounts are not required here, because the scaler sets the worker's.
    of("resources", Object(&[of("limits", Object(AMOUNTS)), of("requests", Object(AMOUNTS))])),
    of("securityContext", Object(SECURITY_CONTEXT)),
    of("volumeMounts", List(MOUNT)),
    shown("instanceView"),
];

const INIT_CONTAINER: &[Property] = &[
    of("command", Texts),
    of("environmentVariables", List(VARIABLE)),
    of("image", Text),
    of("securityContext", Object(SECURITY_CONTEXT)),
    of("volumeMounts", List(MOUNT)),
    shown("instanceView"),
];

const VARIABLE: &[Property] =
    &[required("name", Text), of("secureValue", Text), new("secureValueReference", Text), of("value", Text)];

const AMOUNTS: &[Property] = &[of("cpu", Number), of("memoryInGB", Number), of("gpu", Object(GPU))];

const GPU: &[Property] = &[required("count", Whole), required("sku", Word(&["K80", "P100", "V100"]))];

const PORT: &[Property] = &[required("port", Whole), of("protocol", Word(&["TCP", "UDP"]))];

const MOUNT: &[Property] = &[required("mountPath", Text), required("name", Text), of("readOnly", Flag)];

const PROBE: &[Property] = &[
    of("exec", Object(&[of("command", Texts)])),
    of("failureThreshold", Whole),
    of("httpGet", Object(HTTP_GET)),
    of("initialDelaySeconds", Whole),
    of("periodSeconds", Whole),
    of("successThreshold", Whole),
    of("timeoutSeconds", Whole),
];

const HTTP_GET: &[Property] = &[
    of("httpHeaders", List(&[of("name", Text), of("value", Text)])),
    of("path", Text),
    required("port", Whole),
    of("scheme", Word(&["http", "https"])),
];

const SECURITY_CONTEXT: &[Property] = &[
    of("allowPrivilegeEscalation", Flag),
    of("capabilities", Object(&[of("add", Texts), of("drop", Texts)])),
    of("privileged", Flag),
    of("runAsGroup", Whole),
    of("runAsUser", Whole),
    of("seccompProfile", Text),
];

const CREDENTIAL: &[Property] = &[
    of("identity", Text),
    of("identityUrl", Text),
    of("password", Text),
    new("passwordReference", Text),
    required("server", Text),
    of("username", Text),
];

const LOG_ANALYTICS: &[Property] = &[
    of("logType", Word(&["ContainerInsights", "ContainerInstanceLogs"])),
    of("metadata", TextMap),
    required("workspaceId", Text),
    required("workspaceKey", Text),
    of("workspaceResourceId", Text),
];

const ENCRYPTION: &[Property] =
    &[of("identity", Text), required("keyName", Text), required("keyVersion", Text), required("vaultBaseUrl", Text)];

const EXTENSION: &[Property] =
    &[required("extensionType", Text), of("protectedSettings", Any), of("settings", Any), required("version", Text)];

const ACCESS: Kind = Word(&["All", "System", "User"]);

const IP_ADDRESS: &[Property] = &[
    of(
        "autoGeneratedDomainNameLabelScope",
        Word(&["Unsecure", "TenantReuse", "SubscriptionReuse", "ResourceGroupReuse", "Noreuse"]),
    ),
    of("dnsNameLabel", Text),
    of("ip", Text),
    required("ports", List(PORT)),
    required("type", Word(&["Public", "Private"])),
    shown("fqdn"),
];

const VOLUME: &[Property] = &[
    of("azureFile", Object(AZURE_FILE)),
    of("emptyDir", Any),
    of("gitRepo", Object(&[of("directory", Text), required("repository", Text), of("revision", Text)])),
    required("name", Text),
    of("secret", TextMap),
    new("secretReference", TextMap),
];

const AZURE_FILE: &[Property] = &[
    of("readOnly", Flag),
    required("shareName", Text),
    of("storageAccountKey", Text),
    new("storageAccountKeyReference", Text),
    required("storageAccountName", Text),
];
