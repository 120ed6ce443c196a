//! Refusals, in the service's words as far as clients read them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::atom::element;
use crate::service_bus::broker::BrokerError;

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    pub(super) fn unauthorized(detail: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, detail: detail.to_owned() }
    }

    /// The request is invalid, or needs something that the local Service Bus does not have.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail: detail.into() }
    }

    pub(super) fn no_entity(path: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: format!("Entity '{path}' was not found.") }
    }

    pub(super) fn no_such_method() -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, detail: "The method is not supported.".to_owned() }
    }
}

impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Self {
        let detail = error.to_string();
        match error {
            BrokerError::AlreadyExists(_) => Self { status: StatusCode::CONFLICT, detail },
            BrokerError::NoSuchTopic(_) | BrokerError::NoSuchSubscription(..) | BrokerError::NoSuchRule(_) => {
                Self { status: StatusCode::NOT_FOUND, detail }
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = element("Code", &self.status.as_u16().to_string());
        let body = format!("<Error>{code}{}</Error>", element("Detail", &self.detail));
        (self.status, [(header::CONTENT_TYPE, "application/xml; charset=utf-8")], body).into_response()
    }
}
