//! Images that are built here from files.

use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptions;
use bollard::{Docker, body_full};
use futures_util::TryStreamExt as _;

const BLOCK: usize = 512;

/// Builds an image from these files, all of them executable, that runs this command.
pub(super) async fn import(
    docker: &Docker,
    image: &str,
    files: &[(&str, &[u8])],
    command: &[&str],
) -> Result<(), Error> {
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(repository.to_owned()),
        tag: Some(tag.to_owned()),
        changes: vec![format!("ENTRYPOINT {}", serde_json::json!(command))],
        ..CreateImageOptions::default()
    };
    let body = body_full(tar(files).into());
    docker.create_image(Some(options), Some(body), None).try_for_each(|_| async { Ok(()) }).await
}

/// An archive in the ustar format.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, content) in files {
        archive.extend(header(path.trim_start_matches('/'), content.len()));
        archive.extend(*content);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn header(path: &str, size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut field = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    field(0, path);
    field(100, "0000755\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{size:011o}\0"));
    field(136, "00000000000\0");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_whole_blocks_and_ends_with_two_empty_ones() {
        let archive = tar(&[("/a", b"content"), ("b", &[0; 512])]);
        assert_eq!(archive.len(), 6 * BLOCK);
        assert!(archive.starts_with(b"a\0") && archive[512..].starts_with(b"content\0") && archive[1024] == b'b');
        assert_eq!(&archive[124..136], b"00000000007\0");
    }
}
