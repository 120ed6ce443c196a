//! Images: the engine's own are used as they are, others are pulled.

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptions;
use futures_util::TryStreamExt as _;

use super::connect::{is_missing, words};

/// Why an image is not available.
#[derive(Debug)]
pub(super) enum NoImage {
    /// Its name is not an image's name.
    InvalidName,
    /// It cannot be pulled, in the words of the engine.
    Pull(String),
}

/// Pulls an image unless the engine has it. Returns whether it was pulled.
pub(super) async fn ensure(
    docker: &Docker,
    image: &str,
    credentials: Option<DockerCredentials>,
) -> Result<bool, NoImage> {
    match docker.inspect_image(image).await {
        Ok(_) => return Ok(false),
        Err(Error::DockerResponseServerError { status_code: 400, .. }) => return Err(NoImage::InvalidName),
        Err(error) if !is_missing(&error) => return Err(NoImage::Pull(words(&error))),
        Err(_) => {}
    }
    let options = CreateImageOptions { from_image: Some(with_tag(image)), ..CreateImageOptions::default() };
    let pulled = docker.create_image(Some(options), None, credentials).try_for_each(|_| async { Ok(()) }).await;
    match pulled {
        Ok(()) => Ok(true),
        Err(error) if words(&error).contains("invalid reference format") => Err(NoImage::InvalidName),
        Err(error) => Err(NoImage::Pull(words(&error))),
    }
}

/// The event of an image that cannot be pulled, as Container Instances words it.
pub(super) fn pull_event(image: &str, words: &str) -> String {
    let is_missing = ["manifest unknown", "not found", "does not exist", "no such image"]
        .iter()
        .any(|phrase| words.to_lowercase().contains(phrase));
    if is_missing && !words.contains("no such host") {
        let repository = image.rsplit('/').next().unwrap_or_default();
        return format!("Failed to pull image \"{image}\": rpc error: code 2 desc Error: image {repository} not found");
    }
    format!("Failed to pull image \"{image}\": rpc error: code 2 desc {words}")
}

/// The registry that an image's name leads to: its first part if that looks like a host.
pub(super) fn registry_of(image: &str) -> String {
    let host =
        image.split_once('/').map(|(host, _)| host).filter(|host| host.contains(['.', ':']) || *host == "localhost");
    host.unwrap_or("docker.io").to_lowercase()
}

/// Without a tag the engine would pull all tags.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_the_host_in_the_images_name_or_docker_hub() {
        let registries = [
            ("mine.azurecr.io/a/b:1", "mine.azurecr.io"),
            ("localhost/a", "localhost"),
            ("localhost:5000/a", "localhost:5000"),
            ("library/a", "docker.io"),
            ("a:1.0", "docker.io"),
        ];
        for (image, registry) in registries {
            assert_eq!(registry_of(image), registry, "{image}");
        }
    }

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        let names = [("localhost:5000/a", "localhost:5000/a:latest"), ("a:1", "a:1"), ("a@sha256:0", "a@sha256:0")];
        for (image, name) in names {
            assert_eq!(with_tag(image), name);
        }
    }

    #[test]
    fn what_an_engine_says_of_a_pull_is_said_in_azures_words() {
        let missing = [
            "manifest for mine.azurecr.io/worker:2 not found: manifest unknown: manifest tagged by \"2\" is not found",
            "pull access denied for worker, repository does not exist or may require 'docker login'",
        ];
        for words in missing {
            let event = pull_event("mine.azurecr.io/worker:2", words);
            assert!(event.ends_with("rpc error: code 2 desc Error: image worker:2 not found"), "{event}");
        }
        let unreachable = pull_event("a.b/c", "dial tcp: lookup a.b: no such host");
        assert!(unreachable.ends_with("rpc error: code 2 desc dial tcp: lookup a.b: no such host"), "{unreachable}");
    }
}
