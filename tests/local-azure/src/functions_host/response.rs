//! How the host interprets a handler's answer (azure-functions-host, `DefaultHttpWorkerService.cs`, and the formatters of ASP.NET).

use serde_json::Value;

/// A complete answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// Whether the head shows where it ends: by a length, or because the status allows no body.
    pub(super) is_sized: bool,
    pub(super) body: Vec<u8>,
}

/// The result of the invocation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It succeeds.
    Succeeded {
        /// The lines to log.
        logs: Vec<String>,
        /// What it returned.
        return_value: Value,
    },
    /// It fails.
    Failed(String),
    /// The answer becomes a null object, which the host ignores: the invocation goes on until the function's time-out.
    Forgotten,
}

/// Judges an answer.
pub(super) fn judge(reply: &Reply) -> Verdict {
    if !(200..300).contains(&reply.status) {
        return Verdict::Failed(format!("Response status code does not indicate success: {}.", reply.status));
    }
    if reply.body.is_empty() && reply.is_sized {
        return Verdict::Forgotten;
    }
    let content_type = reply.content_type.as_deref().unwrap_or_default();
    if !is_json(content_type) {
        return Verdict::Failed(if reply.body.is_empty() {
            format!("UnsupportedMediaType: no formatter reads `{content_type}`")
        } else {
            format!("Invalid HttpResponseMessage: {}", String::from_utf8_lossy(&reply.body))
        });
    }
    if reply.body.trim_ascii().is_empty() {
        return Verdict::Forgotten;
    }
    match serde_json::from_slice::<Value>(&reply.body) {
        Ok(Value::Null) => Verdict::Forgotten,
        Ok(answer) => {
            result(&answer).unwrap_or_else(|problem| Verdict::Failed(format!("Invalid HttpResponseMessage: {problem}")))
        }
        Err(error) => Verdict::Failed(format!("Invalid HttpResponseMessage: {error}")),
    }
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    ["application/json", "text/json"].iter().any(|json| json.eq_ignore_ascii_case(media_type))
}

/// The `HttpScriptInvocationResult` that the answer holds: members in any case, unknown ones ignored.
fn result(answer: &Value) -> Result<Verdict, &'static str> {
    let members = answer.as_object().ok_or("it is not an object")?;
    let member = |name: &str| {
        members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or(&Value::Null, |(_, value)| value)
    };
    if !matches!(member("Outputs"), Value::Null | Value::Object(_)) {
        return Err("Outputs is not an object");
    }
    let logs = match member("Logs") {
        Value::Null => Vec::new(),
        Value::Array(lines) => {
            lines.iter().map(line).collect::<Option<_>>().ok_or("Logs holds what is not a string")?
        }
        _ => return Err("Logs is not an array"),
    };
    Ok(Verdict::Succeeded { logs, return_value: member("ReturnValue").clone() })
}

fn line(line: &Value) -> Option<String> {
    match line {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        // As .NET writes them.
        Value::Bool(truth) => Some(if *truth { "True" } else { "False" }.to_owned()),
        Value::Null => Some("[null]".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}
