//! What the host sends to a handler: the request line, the headers and the body of an invocation.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How the end of the body is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// `Transfer-Encoding: chunked`, as in Azure.
    #[default]
    Chunked,
    /// `Content-Length`, as under Core Tools.
    Sized,
}

/// One call of a function. Its parts can be changed to what another host, version or binding would send.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The function's name, which is the path.
    pub function: String,
    /// `X-Azure-Functions-InvocationId`.
    pub id: Uuid,
    /// `traceparent`, if there is one.
    pub traceparent: Option<String>,
    /// The body.
    pub body: Value,
    /// How the body is sent.
    pub framing: Framing,
    /// The reason, as in the host's log.
    pub reason: String,
}

impl Invocation {
    /// A timer's call. Its binding has this name and this value.
    pub fn of_timer(function: &str, binding: &str, timer: &Value, now: &str) -> Self {
        let sys = json!({ "MethodName": function, "UtcNow": now, "RandGuid": Uuid::new_v4().to_string() });
        let trace = Uuid::new_v4().simple();
        let span = &Uuid::new_v4().simple().to_string()[..16];
        Self {
            function: function.to_owned(),
            id: Uuid::new_v4(),
            traceparent: Some(format!("00-{trace}-{span}-00")),
            body: json!({
                "Data": Map::from_iter([(binding.to_owned(), timer.clone())]),
                "Metadata": { "sys": sys },
            }),
            framing: Framing::default(),
            reason: "This function was programmatically called via the host APIs.".to_owned(),
        }
    }
}
