//! Loading `.env` changes the environment of the process, so this test has a process of its own.

use aci_scaler::settings::{Environment, ProcessEnvironment, load_dot_env};

#[test]
fn a_dot_env_file_adds_variables_and_overrides_none() {
    let before = ProcessEnvironment::read();
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "# A comment.\nCARGO_MANIFEST_DIR=other\nACR_PASSWORD='a $b \"c\" #d;e=f' # Another.\n";
    std::fs::write(file.path(), text).unwrap();
    load_dot_env(file.path()).unwrap();
    let after = ProcessEnvironment::read();
    assert_eq!(after.get("CARGO_MANIFEST_DIR"), before.get("CARGO_MANIFEST_DIR"));
    assert_ne!(after.get("CARGO_MANIFEST_DIR").as_deref(), Some("other"));
    assert_eq!(after.get("ACR_PASSWORD").as_deref(), Some("a $b \"c\" #d;e=f"));
}
