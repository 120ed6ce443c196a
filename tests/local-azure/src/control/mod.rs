//! The control API and the page for people, next to Azure Resource Manager.
//!
//! Both are only for the machine they run on: requests that name another host (as after DNS rebinding) are refused, and so are
//! requests of pages from another origin.

mod actions;
mod black_holes;
mod entities;
mod groups;
mod how_often;
mod identity;
mod overview;
mod page;
mod resource_manager_faults;
mod rules;
mod service_bus_faults;
mod tag_policies;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::local::LocalAzure;

/// The list of paths, for requests to other ones.
const ROUTES: &str = "GET /control/state; POST /control/messages; POST /control/reports; \
                      GET, POST, DELETE /control/service-bus/faults; DELETE /control/service-bus/connections; \
                      POST /control/service-bus/topics; POST /control/service-bus/subscriptions; \
                      GET, POST, DELETE /control/black-holes; POST /control/identity; POST /control/identity/revocation; POST /control/identity/expiry; \
                      GET, POST, DELETE /control/resource-manager/faults; \
                      PUT /control/resource-manager/rate-limit; \
                      GET, POST, DELETE /control/container-groups/rules; \
                      GET, POST, DELETE /control/container-groups/tag-policies; \
                      POST /control/container-groups/remediation; POST /control/container-groups/planted; \
                      POST /control/container-groups/foreign; DELETE /control/container-groups/{name}; \
                      GET /control/container-groups/{name}/log; POST /control/container-groups/{name}/exit; \
                      PUT /control/container-groups/{name}/provisioning-state; \
                      POST /control/container-groups/{name}/age";

/// The answer to a POST of a fault, a rule or a policy: what is now in force.
type Created = Result<(StatusCode, Json<Value>), Refusal>;

/// The page and everything under `/control`.
pub(crate) fn routes(azure: LocalAzure) -> Router {
    Router::new()
        .route("/", get(page::html))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::js))
        .route("/control/state", get(overview::get))
        .route("/control/messages", post(actions::send))
        .route("/control/reports", post(actions::report))
        .route("/control/black-holes", get(black_holes::all).post(black_holes::open).delete(black_holes::close))
        .nest("/control/service-bus", service_bus_routes())
        .nest("/control/resource-manager", resource_manager_routes())
        .nest("/control/container-groups", container_group_routes())
        .nest("/control/identity", identity_routes())
        .route("/control", get(unknown))
        .route("/control/{*rest}", get(unknown).fallback(unknown))
        .method_not_allowed_fallback(unknown)
        .layer(middleware::from_fn(guard))
        .with_state(azure)
}

fn service_bus_routes() -> Router<LocalAzure> {
    use service_bus_faults::{add, all, clear};
    Router::new()
        .route("/faults", get(all).post(add).delete(clear))
        .route("/connections", delete(actions::drop_connections))
        .route("/topics", post(entities::set_up_topic))
        .route("/subscriptions", post(entities::set_up_subscription))
}

fn identity_routes() -> Router<LocalAzure> {
    Router::new()
        .route("/", post(identity::change))
        .route("/revocation", post(identity::revoke))
        .route("/expiry", post(identity::expire))
}

fn resource_manager_routes() -> Router<LocalAzure> {
    use resource_manager_faults::{add, all, clear, set_rate_limit};
    Router::new().route("/faults", get(all).post(add).delete(clear)).route("/rate-limit", put(set_rate_limit))
}

fn container_group_routes() -> Router<LocalAzure> {
    use tag_policies::remediate;
    Router::new()
        .route("/rules", get(rules::all).post(rules::add).delete(rules::clear))
        .route("/tag-policies", get(tag_policies::all).post(tag_policies::add).delete(tag_policies::clear))
        .route("/remediation", post(remediate))
        .route("/planted", post(groups::plant))
        .route("/foreign", post(groups::plant_foreign))
        .route("/{name}", delete(groups::remove))
        .route("/{name}/log", get(actions::log))
        .route("/{name}/exit", post(actions::exit))
        .route("/{name}/provisioning-state", put(groups::show_provisioning_state))
        .route("/{name}/age", post(groups::age))
}

/// A request that cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Send it to the loopback address, from there.
    #[error("this is only for the machine it runs on: {0}")]
    Forbidden(&'static str),
    /// Use a path that exists.
    #[error("{0}")]
    NotFound(String),
    /// Send another body.
    #[error("{0}")]
    Invalid(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
        };
        (status, axum::Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// Reads a body as JSON, whatever its content type: with curl's `-d` that is a form.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Invalid(format!("the body is not what is accepted: {error}")))
}

async fn unknown() -> Refusal {
    Refusal::NotFound(format!("there is no such thing here; there are: {ROUTES}"))
}

pub(crate) async fn guard(request: Request, next: Next) -> Response {
    match check_source(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check_source(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).filter(|host| is_loopback(host));
    let host = host.ok_or(Refusal::Forbidden("the Host header must name 127.0.0.1, [::1] or localhost"))?;
    let same_origin = headers.get(header::ORIGIN).is_none_or(|origin| *origin == *format!("http://{host}"));
    if *method != Method::GET && !same_origin {
        return Err(Refusal::Forbidden("pages of other origins may change nothing"));
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let authority = host.parse::<Authority>();
    authority.is_ok_and(|authority| matches!(authority.host(), "127.0.0.1" | "[::1]" | "localhost"))
}
