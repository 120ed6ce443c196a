//! Which credentials a workflow logs in with.

use crate::stage::Stage;

const IDS: [(&str, &str); 3] = [("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t"), ("AZURE_SUBSCRIPTION_ID", "s")];

#[test]
fn oidc_is_preferred_where_all_three_ids_are_set() {
    for secret in ["true", "false"] {
        let stage = Stage::new();
        let ran = stage.run("choose-login.sh", &[IDS.as_slice(), &[("HAS_SECRET", secret)]].concat());
        assert!(ran.succeeded && ran.printed.is_empty(), "{ran:?}");
        assert_eq!(stage.text("output"), "method=oidc\n");
    }
}

#[test]
fn the_secret_serves_where_there_is_no_oidc() {
    let stage = Stage::new();
    let ran = stage.run("choose-login.sh", &[("AZURE_CLIENT_ID", ""), ("HAS_SECRET", "true")]);
    assert!(ran.succeeded && ran.printed.is_empty(), "{ran:?}");
    assert_eq!(stage.text("output"), "method=secret\n");
}

#[test]
fn half_of_oidc_is_pointed_out() {
    let stage = Stage::new();
    let ran = stage.run("choose-login.sh", &[IDS[0], IDS[2], ("HAS_SECRET", "true")]);
    assert!(ran.succeeded && ran.printed.contains("OIDC needs AZURE_TENANT_ID as well"), "{ran:?}");
    assert_eq!(stage.text("output"), "method=secret\n");
}

#[test]
fn without_credentials_it_is_said_which_to_set() {
    let stage = Stage::new();
    let ran = stage.run("choose-login.sh", &[IDS[1], ("HAS_SECRET", "false")]);
    assert!(!ran.succeeded);
    assert!(ran.printed.contains("Set AZURE_CLIENT_ID AZURE_SUBSCRIPTION_ID as variables (OIDC), or the secret"));
    assert_eq!(stage.text("output"), "");
}
