//! Container groups that the service refuses as invalid.

use thiserror::Error;

/// Why a container group is refused as invalid. The texts are the service's.
///
/// Codes are as the troubleshooting pages and recorded answers have them; the ones of [`InvalidGroup::Name`],
/// [`InvalidGroup::ContainerName`], [`InvalidGroup::NoContainers`], [`InvalidGroup::NoImage`],
/// [`InvalidGroup::MemoryStep`], [`InvalidGroup::CpuStep`], [`InvalidGroup::VariableName`],
/// [`InvalidGroup::TooManyTags`] and [`InvalidGroup::TagValue`] are not on record and are inferred.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "the fields are the names and amounts that the messages speak of")]
pub enum InvalidGroup {
    /// The body is not of the type that the service expects.
    #[error("The request content was invalid and could not be deserialized: '{reason}'.")]
    Content { reason: String },
    /// The group's name breaks the naming rule.
    #[error(
        "The container group name '{group}' is invalid. The container group name must contain no more than 63 \
         characters and must match the regex '[a-z0-9]([-a-z0-9]*[a-z0-9])?' (e.g. 'my-name')."
    )]
    Name { group: String },
    /// No location.
    #[error("The location property is required for this definition.")]
    Location,
    /// More than 50 tags.
    #[error("A resource can have at most 50 tags.")]
    TooManyTags,
    /// A tag's name has reserved characters or is too long.
    #[error("The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters.")]
    TagName { name: String },
    /// A tag's value is too long.
    #[error("The value of tag '{name}' is longer than 256 characters.")]
    TagValue { name: String },
    /// Neither Linux nor Windows.
    #[error("The 'osType' for container group '{found}' is invalid. The value must be one of 'Windows,Linux'")]
    OsType { found: String },
    /// No container.
    #[error("The container group '{group}' has no containers.")]
    NoContainers { group: String },
    /// A container's name breaks the naming rule.
    #[error(
        "The container name '{container}' in container group '{group}' is invalid. The container name must contain no \
         more than 63 characters and must match the regex '[a-z0-9]([-a-z0-9]*[a-z0-9])?' (e.g. 'my-name')."
    )]
    ContainerName { container: String, group: String },
    /// A container has no image.
    #[error("The image is not specified in container '{container}' in container group '{group}'.")]
    NoImage { container: String, group: String },
    /// A container requests no resources.
    #[error(
        "The resource requests are not specified in container '{container}' of container group '{group}'. It is \
         required since API version '2017-07-01-preview'."
    )]
    NoRequests { container: String, group: String },
    /// A container requests memory and no CPU, or the reverse.
    #[error(
        "The '{what}' request is not specified in container '{container}' of contain group '{group}'. It is required \
         since API version '2017-07-01-preview'."
    )]
    RequestMissing { container: String, group: String, what: &'static str },
    /// Memory that is not a multiple of 0.1 GB.
    #[error(
        "The memory requirement is '{memory_gb}' in container '{container}' of container group '{group}'. The memory \
         requirement should be in increments of 0.1 GB."
    )]
    MemoryStep { container: String, group: String, memory_gb: f64 },
    /// CPU that is not a multiple of 0.01 cores.
    #[error(
        "The CPU requirement is '{cpu}' in container '{container}' of container group '{group}'. The CPU requirement \
         should be in increments of 0.01."
    )]
    CpuStep { container: String, group: String, cpu: f64 },
    /// A limit below its request.
    #[error(
        "The resource requirement in container '{container}' of contain group '{group}' is invalid. The '{what}' limit \
         value must be greater than or equal to the request value."
    )]
    LimitTooLow { container: String, group: String, what: &'static str },
    /// A limit above what all containers request.
    #[error(
        "The '{what}' limit of container '{container}' is greater than the total request of container group '{group}'."
    )]
    LimitTooHigh { container: String, group: String, what: &'static str },
    /// More than any region has.
    #[error(
        "The requested resource is not available in the location '{location}' at this moment. Please retry with a \
         different resource request or in another location. Resource requested: '{cpu}' CPU '{memory_gb}' GB memory \
         'Linux' OS."
    )]
    NotAvailable { location: String, cpu: f64, memory_gb: f64 },
    /// A variable's name breaks the naming rule.
    #[error("The environment variable name '{name}' is invalid.")]
    VariableName { name: String },
    /// A registry with both a user and an identity, or with neither.
    #[error(
        "The registry credential type in the 'imageRegistryCredentials' of container group '{group}' cannot be \
         detected. Please set exactly one of username or identity"
    )]
    RegistryCredential { group: String },
    /// A registry's identity that the group does not have.
    #[error(
        "The identity in the 'imageRegistryCredentials' of container group '{group}' not found in container group \
         identity list."
    )]
    RegistryIdentity { group: String },
    /// An address without ports.
    #[error("The ports in the 'ipAddress' of container group '{group}' cannot be empty.")]
    IpAddressPorts { group: String },
    /// A combination that the service refuses; the code is inferred too.
    #[error("{reason}")]
    Combination { code: &'static str, reason: String },
    /// Spot with an address or a subnet.
    #[error("Spot Priority is not supported for container groups with inbound connectivity.")]
    SpotInbound,
}

impl InvalidGroup {
    /// The HTTP status and the code of the answer.
    pub fn status_and_code(&self) -> (u16, &'static str) {
        let code = match self {
            Self::Content { .. } => "InvalidRequestContent",
            Self::Name { .. } => "InvalidContainerGroupName",
            Self::Location => "LocationRequired",
            Self::TooManyTags => "TagCountExceeded",
            Self::TagName { .. } => "InvalidTagNameCharacters",
            Self::TagValue { .. } => "InvalidTagValueLength",
            Self::OsType { .. } => "InvalidOsType",
            Self::NoContainers { .. } => "MissingContainers",
            Self::ContainerName { .. } => "InvalidContainerName",
            Self::NoImage { .. } => "MissingImage",
            Self::NoRequests { .. } => "ResourceRequestsNotSpecified",
            Self::RequestMissing { .. } => "ResourceSomeRequestsNotSpecified",
            Self::MemoryStep { .. } => "InvalidMemoryRequirement",
            Self::CpuStep { .. } => "InvalidCpuRequirement",
            Self::LimitTooLow { .. } => "ResourceLimitsLessThanRequests",
            Self::LimitTooHigh { .. } => "ContainerLimitGreaterThanContainerGroupTotalRequest",
            // The service documents HTTP 409 for a region without room.
            Self::NotAvailable { .. } => return (409, "ServiceUnavailable"),
            Self::VariableName { .. } => "InvalidEnvironmentVariableName",
            // The service's own spelling.
            Self::RegistryCredential { .. } => "AmbiguousImageResitryCredentialType",
            Self::RegistryIdentity { .. } => "InvalidImageRegistryIdentity",
            Self::IpAddressPorts { .. } => "MissingIpAddressPorts",
            Self::Combination { code, .. } => code,
            Self::SpotInbound => "SpotPriorityContainerGroupNotSupportedForInboundConnectivity",
        };
        (400, code)
    }
}
