//! Which credential is chosen, and what becomes of its tokens.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use azure_core::cloud::CustomConfiguration;
use tokio::time::Instant;

use super::*;
use crate::test_support::NOW;

const TENANT: &str = "00000000-0000-0000-0000-000000000001";
const CLIENT: &str = "00000000-0000-0000-0000-000000000002";

/// The credential that these variables choose in a cloud.
fn chosen_in(cloud: Cloud, variables: &[(&str, &str)]) -> Result<Credential, CredentialError> {
    let variable = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
    let settings = AzureSettings {
        subscription_id: TENANT.to_owned(),
        resource_group: "rg".to_owned(),
        client_id: Some(CLIENT.to_owned()),
        cloud,
        resource_manager: "https://management.azure.com".parse().unwrap(),
        resource_manager_audience: "https://management.azure.com".to_owned(),
    };
    Credential::from_environment(variable, &settings, &Http::new(), Clock::system())
}

#[test]
fn a_service_principal_is_the_one_of_the_settings_in_their_cloud() {
    // The variable as it is does not matter: the settings have it trimmed and checked.
    let variables = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", "raw\n"), ("AZURE_CLIENT_SECRET", "secret")];
    for (cloud, authority) in [
        (Cloud::Public, "login.microsoftonline.com"),
        (Cloud::UsGovernment, "login.microsoftonline.us"),
        (Cloud::China, "login.chinacloudapi.cn"),
    ] {
        let credential = chosen_in(cloud, &variables).unwrap();
        assert_eq!(credential.kind, "the service principal");
        let source = format!("{:?}", credential.kept.lock().source);
        assert!(source.contains(CLIENT) && source.contains(authority), "{cloud:?}: {source}");
    }
}

#[test]
fn a_workload_identity_sends_with_the_scalers_own_client() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let with_token_file = |token_file: &str| {
        let variables = [("AZURE_TENANT_ID", TENANT), ("AZURE_FEDERATED_TOKEN_FILE", token_file)];
        chosen_in(Cloud::Public, &variables)
    };
    // That it is built is what is tested: a client of azure_core's own panics.
    assert_eq!(with_token_file(file.path().to_str().unwrap()).unwrap().kind, "workload identity");
    let error = with_token_file("/not/there").unwrap_err();
    assert!(error.reason.to_string().contains("/not/there"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_an_identity_is_reported_before_its_time_is_up() {
    // Nobody listens any more where somebody just did.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = format!("https://127.0.0.1:{port}");
    let client_options = ClientOptions { cloud: Some(Arc::new(cloud.into())), ..options(&Http::new(), Cloud::Public) };
    let make =
        move || service_principal(TENANT, CLIENT.to_owned(), &SecretString::from("secret"), client_options.clone());
    let credential = Credential::new("the service principal", Box::new(make), Clock::system()).unwrap();
    let error = credential.token("https://servicebus.azure.net/.default").await.unwrap_err();
    assert!(error.reason.to_string().contains("refused"), "{error}");
}

/// A source that keeps its token, as those of `azure_identity` do, until it is told to hang.
#[derive(Debug)]
struct Source {
    token: String,
    expires_at: OffsetDateTime,
    hangs: Arc<AtomicBool>,
}

#[async_trait]
impl TokenCredential for Source {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        if self.hangs.load(Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(azure_core::credentials::AccessToken::new(self.token.clone(), self.expires_at))
    }
}

/// A credential whose sources give the tokens `token 1`, `token 2`, … that expire so long from now.
fn with_sources(expires_in: Duration) -> (Credential, Arc<AtomicBool>) {
    let (number, hangs) = (AtomicUsize::new(0), Arc::<AtomicBool>::default());
    let make = {
        let hangs = hangs.clone();
        move || {
            let token = format!("token {}", number.fetch_add(1, Relaxed) + 1);
            Ok(Arc::new(Source { token, expires_at: NOW + expires_in, hangs: hangs.clone() }) as _)
        }
    };
    (Credential::new("a test", Box::new(make), Clock::from_fn(|| NOW)).unwrap(), hangs)
}

async fn token(credential: &Credential) -> Result<String, CredentialError> {
    Ok(credential.token("scope").await?.secret.expose_secret().to_owned())
}

/// How many seconds it takes to get a token, if it comes.
async fn seconds(credential: &Credential, scope: &str) -> Option<u64> {
    let start = Instant::now();
    credential.token(scope).await.ok().map(|_| start.elapsed().as_secs())
}

#[tokio::test]
async fn after_a_service_has_refused_a_token_there_is_another() {
    let (credential, _) = with_sources(Duration::from_hours(1));
    assert_eq!(token(&credential).await.unwrap(), "token 1");
    assert_eq!(token(&credential).await.unwrap(), "token 1");
    credential.forget();
    assert_eq!(token(&credential).await.unwrap(), "token 2");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_while_it_is_valid_if_no_other_can_be_had() {
    for (expires_in, waited) in [(299, Some(5)), (31, Some(5)), (30, None)] {
        let (credential, hangs) = with_sources(Duration::from_secs(expires_in));
        token(&credential).await.unwrap();
        hangs.store(true, Relaxed);
        assert_eq!(seconds(&credential, "scope").await, waited, "{expires_in} s");
        assert_eq!(seconds(&credential, "scope").await, waited.map(|_| 0), "it is not asked for again at once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_come_holds_up_none_for_another_scope() {
    let (credential, hangs) = with_sources(Duration::from_hours(1));
    hangs.store(true, Relaxed);
    let mut first = std::pin::pin!(seconds(&credential, "one"));
    assert!(futures_util::poll!(&mut first).is_pending());
    hangs.store(false, Relaxed);
    assert_eq!(seconds(&credential, "other").await, Some(0));
    assert_eq!(first.await, None);
}
