//! Atom documents, as the service writes them.

use std::collections::HashMap;
use std::fmt::Write as _;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::target::Target;

/// The namespace of descriptions.
pub(super) const SERVICE_BUS: &str = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect";
/// The namespace of types.
pub(super) const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The content of an answer.
pub(super) struct Document {
    status: StatusCode,
    kind: &'static str,
    body: String,
}

impl Document {
    /// What has been created.
    pub(super) fn created(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    /// Nothing, after a deletion.
    pub(super) fn empty() -> Self {
        Self { status: StatusCode::OK, kind: "entry", body: String::new() }
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let content_type = format!("application/atom+xml;type={};charset=utf-8", self.kind);
        (self.status, [(header::CONTENT_TYPE, content_type)], self.body).into_response()
    }
}

/// The URL of the documents, as the client sees it.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) host: &'a str,
    pub(super) query: &'a HashMap<String, String>,
}

/// An entry of a document: its name, when it was created, and its description.
pub(super) struct Entry {
    pub(super) target: Target,
    pub(super) title: String,
    pub(super) created_at: OffsetDateTime,
    pub(super) description: String,
}

impl Site<'_> {
    /// A document about one thing.
    pub(super) fn entry(&self, entry: &Entry) -> Document {
        Document { status: StatusCode::OK, kind: "entry", body: self.entry_xml(entry) }
    }

    /// A document about a page of things: `$top` of them after `$skip`.
    pub(super) fn feed(&self, target: &Target, mut entries: impl Iterator<Item = Entry>) -> Document {
        let number = |name, default| self.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let (skip, top) = (number("$skip", 0), number("$top", DEFAULT_PAGE).min(MAX_PAGE));
        let mut page: String = entries.by_ref().skip(skip).take(top).map(|entry| self.entry_xml(&entry)).collect();
        if entries.next().is_some() {
            let next = format!("{}&$skip={}&$top={top}", self.link(target), skip + top);
            _ = write!(page, "<link rel=\"next\" href=\"{}\"/>", escape(&next));
        }
        let id = escape(&self.link(target));
        let body = format!(
            "<feed xmlns=\"{ATOM}\"><title type=\"text\">{}</title><id>{id}</id><link rel=\"self\" href=\"{id}\"/>{page}\
             </feed>",
            escape(&target.path())
        );
        Document { status: StatusCode::OK, kind: "feed", body }
    }

    fn entry_xml(&self, entry: &Entry) -> String {
        let id = escape(&self.link(&entry.target));
        let at = timestamp(entry.created_at);
        format!(
            "<entry xmlns=\"{ATOM}\"><id>{id}</id><title type=\"text\">{}</title><published>{at}</published>\
             <updated>{at}</updated><link rel=\"self\" href=\"{id}\"/><content type=\"application/xml\">{}</content>\
             </entry>",
            escape(&entry.title),
            entry.description
        )
    }

    fn link(&self, target: &Target) -> String {
        let version = self.query.get("api-version").map_or("", String::as_str);
        format!("https://{}/{}?api-version={version}", self.host, target.path())
    }
}

/// An element with text in it.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// Text, escaped for elements and attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A point in time.
pub(super) fn timestamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

const ATOM: &str = "http://www.w3.org/2005/Atom";

/// How many entries a page has if the client does not say.
const DEFAULT_PAGE: usize = 100;
/// The most entries of a page, whatever the request says, as on the service.
const MAX_PAGE: usize = 100;
