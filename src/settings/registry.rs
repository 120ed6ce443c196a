//! How the image is pulled.

use super::azure;
use super::image;
use super::reader::{Reader, Reported};
use super::setting::{Accepts, Fallback, Setting};
use crate::container_group::Registry;

const SERVER: Setting = Setting {
    name: "ACR_SERVER",
    doc: "The registry of `ACI_IMAGE`, if pulling needs credentials.",
    accepts: Accepts::Text("a registry's host, such as myregistry.azurecr.io"),
    fallback: Fallback::Optional,
    secret: false,
};

const USERNAME: Setting = Setting {
    name: "ACR_USERNAME",
    doc: "The user who pulls the image; needs `ACR_PASSWORD`.",
    accepts: Accepts::Text("a user's name on one line"),
    fallback: Fallback::Optional,
    secret: false,
};

const PASSWORD: Setting = Setting {
    name: "ACR_PASSWORD",
    doc: "The user's password.",
    accepts: Accepts::Text("a password on one line"),
    fallback: Fallback::Optional,
    secret: true,
};

const IDENTITY: Setting = Setting {
    name: "ACR_IDENTITY",
    doc: "The user-assigned managed identity that pulls the image, by its resource id, instead of a user and a password. Each group gets it.",
    accepts: Accepts::Text(USER_ASSIGNED),
    fallback: Fallback::Optional,
    secret: false,
};

/// How a user-assigned identity is named.
pub(super) const USER_ASSIGNED: &str = "a user-assigned identity's resource id (/subscriptions/.../resourceGroups/.../\
     providers/Microsoft.ManagedIdentity/userAssignedIdentities/...)";

pub(super) const ALL: [&Setting; 4] = [&SERVER, &USERNAME, &PASSWORD, &IDENTITY];

/// Reads the `ACR_*` settings, given the image, if that is known.
pub(super) fn read(reader: &mut Reader<'_>, image: Option<&str>) -> Result<Option<Registry>, Reported> {
    let registry = read_credentials(reader)?;
    let Some(Registry::Password { server, .. } | Registry::Identity { server, .. }) = &registry else {
        return Ok(None);
    };
    // Azure would take the credentials, and pull without them.
    if let Some(image) = image.filter(|image| !image::is_from(image, server)) {
        let reason = format!("expected the registry of ACI_IMAGE ({})", image::registry(image));
        return Err(reader.refused(&SERVER, reason));
    }
    Ok(registry)
}

fn read_credentials(reader: &mut Reader<'_>) -> Result<Option<Registry>, Reported> {
    let server = reader.optional(&SERVER, parse_server);
    let username = reader.optional(&USERNAME, parse_credential);
    let password = reader.optional(&PASSWORD, parse_credential);
    let identity = reader.optional(&IDENTITY, parse_identity);
    match (server?, username?, password?, identity?) {
        (None, None, None, None) => Ok(None),
        (Some(server), Some(username), Some(password), None) => {
            Ok(Some(Registry::Password { server, username, password: password.into() }))
        }
        (Some(server), None, None, Some(identity)) => Ok(Some(Registry::Identity { server, identity })),
        (_, None, None, Some(_)) => Err(reader.missing(&SERVER, "ACR_IDENTITY needs it".to_owned())),
        (_, _, _, Some(_)) => {
            let reason = "expected either it or ACR_USERNAME and ACR_PASSWORD";
            Err(reader.refused(&IDENTITY, reason.to_owned()))
        }
        (server, username, password, None) => {
            let unset = [(&SERVER, server.is_none()), (&USERNAME, username.is_none()), (&PASSWORD, password.is_none())];
            for (setting, _) in unset.into_iter().filter(|(_, unset)| *unset) {
                let reason = "ACR_SERVER, ACR_USERNAME and ACR_PASSWORD go together (or ACR_SERVER and ACR_IDENTITY)";
                reader.missing(setting, reason.to_owned());
            }
            Err(Reported)
        }
    }
}

/// A text that can be a header's value. A line break in it came along when it was pasted.
pub(super) fn parse_credential(text: &str) -> Option<String> {
    (!text.contains(char::is_control)).then(|| text.to_owned())
}

/// A host, with an optional port.
fn parse_server(text: &str) -> Option<String> {
    let url = url::Url::parse(&format!("https://{text}")).ok()?;
    let only_host = text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
    (only_host && url.host_str().is_some()).then(|| text.to_ascii_lowercase())
}

/// A resource id of a user-assigned identity; a system-assigned one cannot pull, because it does not exist before its
/// group does.
pub(super) fn parse_identity(text: &str) -> Option<String> {
    let parts: Vec<_> = text.split('/').collect();
    let ["", subscriptions, subscription, groups, group, providers, provider, kind, name] = parts[..] else {
        return None;
    };
    let fixed = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (provider, "Microsoft.ManagedIdentity"),
        (kind, "userAssignedIdentities"),
    ];
    let valid = fixed.iter().all(|(part, expected)| part.eq_ignore_ascii_case(expected))
        && azure::parse_guid(subscription).is_some()
        && azure::parse_resource_group(group).is_some()
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    valid.then(|| text.to_owned())
}
