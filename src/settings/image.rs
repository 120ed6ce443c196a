//! Image references, as registries and container runtimes accept them: `[registry/]repository[:tag][@digest]`.
//!
//! Source: the grammar of distribution/reference, which Docker, containerd and Azure follow.

/// The registry of an image whose reference names none.
const DOCKER_HUB: &str = "docker.io";
/// Other names of it that credentials may use.
const DOCKER_HUB_ALIASES: [&str; 3] = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// The most characters in a registry and a repository together, by that grammar.
const MAX_NAME_LENGTH: usize = 255;
/// The most characters in a tag, by that grammar.
const MAX_TAG_LENGTH: usize = 128;

/// The reference, with its registry in lower case, if it is one.
pub(super) fn parse(text: &str) -> Option<String> {
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    let (registry, path) = split_registry(named);
    let (repository, tag) = match path.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (path, None),
    };
    let valid = registry.is_none_or(is_registry)
        && repository.split('/').all(is_component)
        && named.len() - tag.map_or(0, |tag| tag.len() + 1) <= MAX_NAME_LENGTH
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    let registry = registry.map(|registry| registry.to_ascii_lowercase() + "/").unwrap_or_default();
    valid.then(|| format!("{registry}{}", &text[registry.len()..]))
}

/// Whether credentials for this registry are used for this image.
pub(super) fn is_from(image: &str, server: &str) -> bool {
    hub_by_one_name(registry(image)) == hub_by_one_name(server)
}

/// The registry that an image comes from.
pub(super) fn registry(image: &str) -> &str {
    split_registry(image).0.unwrap_or(DOCKER_HUB)
}

/// The first part is a registry if it cannot be the first part of a repository of Docker Hub.
fn split_registry(reference: &str) -> (Option<&str>, &str) {
    match reference.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, reference),
    }
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let ends = !label.starts_with('-') && !label.ends_with('-');
        ends && !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Lower-case letters and digits, with `.`, `_`, `__` or hyphens between them.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = text.split(|c: char| c.is_ascii() && is_word(c as u8)).filter(|between| !between.is_empty());
    let words_at_both_ends = text.bytes().next().is_some_and(is_word) && text.bytes().last().is_some_and(is_word);
    words_at_both_ends
        && separators
            .into_iter()
            .all(|between| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    (1..=MAX_TAG_LENGTH).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hub_by_one_name(registry: &str) -> &str {
    if DOCKER_HUB_ALIASES.contains(&registry) { DOCKER_HUB } else { registry }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_taken_as_it_is_but_for_the_case_of_its_registry() {
        for image in [
            "worker",
            "worker:1.4.2",
            "local/worker:latest",
            "myregistry.azurecr.io/worker:1.4.2",
            "myregistry.azurecr.io/team/sub-team/my.work__er:V1_rc.2-B",
            "localhost/worker",
            "localhost:5000/worker:1",
            &format!("worker@{DIGEST}"),
            &format!("mcr.microsoft.com/worker:1@{DIGEST}"),
        ] {
            assert_eq!(parse(image).as_deref(), Some(image));
        }
        assert_eq!(parse("MyRegistry.azurecr.io/worker:V1").as_deref(), Some("myregistry.azurecr.io/worker:V1"));
    }

    #[test]
    fn what_no_registry_can_have_is_no_reference() {
        for wrong in [
            "",
            "Worker",
            "myregistry.azurecr.io/Worker:1",
            "MyRegistry/worker",
            "worker:",
            "myregistry.azurecr.io/worker:",
            "{{image}}",
            "myregistry.azurecr.io/worker:{{tag}}",
            "${IMAGE}",
            "myregistry.azurecr.io/",
            "/worker",
            "myregistry.azurecr.io//worker",
            "worker/",
            "worker:1:2",
            "worker:-1",
            "worker.",
            "work___er",
            "work..er",
            "worker@",
            "worker@sha256:",
            "worker@sha256:0123",
            "worker@md5:0123456789abcdef0123456789abcdef",
            "myregistry.azurecr.io:port/worker",
            "-a.example/worker",
            "https://myregistry.azurecr.io/worker",
            "worker :1",
            "würker",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse(&"w".repeat(256)), None);
        assert_eq!(parse(&format!("worker:{}", "1".repeat(129))), None);
    }

    #[test]
    fn an_image_without_a_registry_is_that_of_docker_hub() {
        for (image, server) in [
            ("worker", "docker.io"),
            ("me/worker:1", "index.docker.io"),
            ("docker.io/me/worker", "registry-1.docker.io"),
            ("myregistry.azurecr.io/worker", "myregistry.azurecr.io"),
            ("localhost:5000/worker", "localhost:5000"),
        ] {
            assert!(is_from(image, server), "{image} {server}");
        }
        assert!(!is_from("worker", "myregistry.azurecr.io"));
        assert!(!is_from("me.azurecr.io/worker", "docker.io"));
        assert!(!is_from("localhost:5000/worker", "localhost"));
    }
}
