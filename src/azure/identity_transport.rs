//! The HTTP client as `azure_identity` uses it.

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use reqwest::Method;

use crate::http::{Call, Http, header_map, text_headers};

/// For `azure_identity`: the requests that get tokens.
#[async_trait]
impl azure_core::http::HttpClient for Http {
    async fn execute_request(
        &self,
        request: &azure_core::http::Request,
    ) -> azure_core::Result<azure_core::http::AsyncRawResponse> {
        let azure_core::http::Body::Bytes(body) = request.body() else {
            return Err(azure_core::Error::with_message(ErrorKind::Other, "a streaming body is not supported"));
        };
        let call = Call {
            method: Method::from_bytes(request.method().as_str().as_bytes())
                .map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))?,
            url: request.url().clone(),
            headers: header_map(request.headers().iter().map(|(name, value)| (name.as_str(), value.as_str()))),
            body: body.to_vec(),
        };
        let answer = self.send(call).await.map_err(|error| azure_core::Error::new(ErrorKind::Io, error))?;
        let mut headers = azure_core::http::headers::Headers::new();
        for (name, value) in text_headers(&answer.headers) {
            headers.insert(name, value);
        }
        Ok(azure_core::http::AsyncRawResponse::from_bytes(answer.status.as_u16().into(), headers, answer.body))
    }
}
