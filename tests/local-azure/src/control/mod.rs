//! The control API and the page that people look at, next to Azure Resource Manager.
//!
//! Both are for the machine they run on: a request that names another host (which a rebound name would) is refused, and
//! so is one that a page of another origin makes.

mod actions;
mod faults;
mod overview;
mod page;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::local::LocalAzure;

/// What there is, for requests that ask for something else.
const ROUTES: &str = "GET /control/state; POST /control/messages; POST /control/reports; \
                      GET, POST, DELETE /control/service-bus/faults; DELETE /control/service-bus/connections; \
                      GET, POST, DELETE /control/resource-manager/faults; \
                      GET, POST, DELETE /control/container-groups/rules; \
                      GET /control/container-groups/{name}/log; POST /control/container-groups/{name}/exit";

/// The page and everything under `/control`.
pub(crate) fn routes(azure: LocalAzure) -> Router {
    Router::new()
        .route("/", get(page::html))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::js))
        .route("/control/state", get(overview::get))
        .route("/control/messages", post(actions::send))
        .route("/control/reports", post(actions::report))
        .route("/control/service-bus/connections", delete(actions::drop_connections))
        .route(
            "/control/service-bus/faults",
            get(faults::service_bus).post(faults::fail_service_bus).delete(faults::clear_service_bus),
        )
        .route(
            "/control/resource-manager/faults",
            get(faults::resource_manager).post(faults::fail_resource_manager).delete(faults::clear_resource_manager),
        )
        .route("/control/container-groups/rules", get(faults::rules).post(faults::add_rule).delete(faults::clear_rules))
        .route("/control/container-groups/{name}/log", get(actions::log))
        .route("/control/container-groups/{name}/exit", post(actions::exit))
        .route("/control", get(unknown))
        .route("/control/{*rest}", get(unknown).fallback(unknown))
        .method_not_allowed_fallback(unknown)
        .layer(middleware::from_fn(guard))
        .with_state(azure)
}

/// A request that cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Send it to the loopback address, from there.
    #[error("this is only for the machine it runs on: {0}")]
    Forbidden(&'static str),
    /// Ask for something that exists.
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

/// Reads a body as JSON whatever its type is said to be, which for curl's `-d` is a form.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Invalid(format!("the body is not what is accepted: {error}")))
}

async fn unknown() -> Refusal {
    Refusal::NotFound(format!("there is no such thing here; there are: {ROUTES}"))
}

async fn guard(request: Request, next: Next) -> Response {
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
