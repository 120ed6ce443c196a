//! What a refusal by Azure Resource Manager means.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::http::Answer;
use crate::services::{ArmError, Refusal};

/// The wait after a `429` without one: what Container Instances asks for elsewhere ("wait at least 10 s").
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(10);

/// The longest wait that is accepted: the service's longest window is an hour.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Enough for every sentence that Azure writes; a proxy's HTML page is cut.
const MAX_MESSAGE_CHARS: usize = 500;

/// Codes that mean that the subscription may have no more groups, whatever the status (`ContainerGroupQuotaReached` comes
/// with 400).
const NO_CAPACITY_CODES: [&str; 3] = ["ContainerGroupQuotaReached", "QuotaExceeded", "ResourceRequestsQuotaReached"];

/// Codes that mean that the region has no room for the requested size, whatever the status (`ServiceUnavailable` comes with
/// 409, and advises to request less).
const NO_ROOM_CODES: [&str; 3] = ["InsufficientCapacity", "ServiceUnavailable", "SkuNotAvailable"];

/// Codes of a 409 that waiting does not fix.
const LASTING_CONFLICT_CODES: [&str; 5] = [
    "MissingSubscriptionRegistration",
    "InvalidContainerGroupUpdate",
    "RegistryErrorResponse",
    "ReadOnlyDisabledSubscription",
    "ScopeLocked",
];

/// Codes of a 403 that no role fixes.
const POLICY_CODES: [&str; 3] = ["RequestDisallowedByPolicy", "RequestDisallowedByAzure", "ScopeLocked"];

/// The counters for creates and deletes, over an hour and over five minutes. Refused requests count too.
pub(super) const REMAINING_HEADERS: [&str; 2] = [
    "x-ms-ratelimit-remaining-subscription-resource-requests-pt1h",
    "x-ms-ratelimit-remaining-subscription-resource-requests-pt5m",
];

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Deserialize)]
struct Body {
    code: Option<String>,
    message: Option<String>,
}

/// The error for an answer that is not a success.
pub(super) fn from_answer(answer: &Answer, retry_after: Option<Duration>) -> ArmError {
    let refusal = refusal(answer);
    let is_one_of = |codes: &[&str]| codes.iter().any(|code| refusal.code.eq_ignore_ascii_case(code));
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => {
            ArmError::Throttled { code: refusal.code, retry_after: retry_after.unwrap_or(DEFAULT_RETRY_AFTER) }
        }
        status if status.is_client_error() && is_one_of(&NO_CAPACITY_CODES) => ArmError::NoCapacity(refusal),
        status if status.is_client_error() && is_one_of(&NO_ROOM_CODES) => ArmError::NoRoomForSize(refusal),
        StatusCode::FORBIDDEN if is_one_of(&POLICY_CODES) => ArmError::Rejected(refusal),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ArmError::Unauthorized(refusal),
        StatusCode::NOT_FOUND => ArmError::NotFound(refusal),
        StatusCode::CONFLICT if !is_one_of(&LASTING_CONFLICT_CODES) => ArmError::Busy(refusal),
        StatusCode::REQUEST_TIMEOUT => ArmError::Failed(refusal),
        status if status.is_client_error() => ArmError::Rejected(refusal),
        _ => ArmError::Failed(refusal),
    }
}

/// How long an answer asks to wait, at most [`MAX_RETRY_AFTER`].
pub(super) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = ["retry-after-ms", "x-ms-retry-after-ms"]
        .iter()
        .find_map(|name| text(name)?.parse().ok())
        .map(Duration::from_millis);
    let seconds = || text("retry-after")?.parse().ok().map(Duration::from_secs);
    let date = || {
        // HTTP dates end in GMT, which RFC 2822 calls obsolete but allows.
        let at = OffsetDateTime::parse(text("retry-after")?, &Rfc2822).ok()?;
        Some(Duration::try_from(at - now).unwrap_or_default())
    };
    millis.or_else(seconds).or_else(date).map(|wait| wait.min(MAX_RETRY_AFTER))
}

fn refusal(answer: &Answer) -> Refusal {
    let body = serde_json::from_slice::<Envelope>(&answer.body).map(|envelope| envelope.error).ok();
    let header = || answer.headers.get("x-ms-error-code").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (code, message) = body.map_or((None, None), |body| (body.code, body.message));
    let code = code.or_else(header).unwrap_or_else(|| format!("HTTP {}", answer.status.as_u16()));
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    let remaining = |name: &&str| answer.headers.get(*name)?.to_str().ok()?.parse().ok();
    Refusal {
        code,
        message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
        remaining: REMAINING_HEADERS.iter().filter_map(remaining).min(),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::http::header_map;

    const NOW: OffsetDateTime = datetime!(2026-01-05 10:00:00 UTC);

    fn answer(status: u16, headers: &[(&str, &str)], code: &str) -> ArmError {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: header_map(headers.iter().copied()),
            body: format!(r#"{{"error":{{"code":"{code}","message":"why"}}}}"#).into_bytes(),
        };
        let wait = retry_after(&answer.headers, NOW);
        from_answer(&answer, wait)
    }

    #[test]
    fn a_refusal_is_what_the_caller_does_next() {
        use ArmError::{Busy, Failed, NoCapacity, NoRoomForSize, NotFound, Rejected, Throttled, Unauthorized};
        assert!(matches!(answer(401, &[], "ExpiredAuthenticationToken"), Unauthorized { .. }));
        assert!(matches!(answer(403, &[], "AuthorizationFailed"), Unauthorized { .. }));
        assert!(matches!(answer(403, &[], "RequestDisallowedByPolicy"), Rejected { .. }));
        assert!(matches!(answer(404, &[], "ResourceNotFound"), NotFound { .. }));
        assert!(matches!(answer(409, &[], "ContainerGroupTransitioning"), Busy { .. }));
        assert!(matches!(answer(409, &[], "RegistryErrorResponse"), Rejected { .. }));
        assert!(matches!(answer(409, &[], "MissingSubscriptionRegistration"), Rejected { .. }));
        assert!(matches!(answer(409, &[], "ServiceUnavailable"), NoRoomForSize { .. }));
        assert!(matches!(answer(400, &[], "ContainerGroupQuotaReached"), NoCapacity { .. }));
        assert!(matches!(answer(400, &[], "InvalidRequestContent"), Rejected { .. }));
        assert!(matches!(answer(429, &[], "TooManyRequests"), Throttled { .. }));
        assert!(matches!(answer(500, &[], "InternalServerError"), Failed { .. }));
        assert!(matches!(answer(503, &[], "ServiceUnavailable"), Failed { .. }));
        assert!(matches!(answer(503, &[("retry-after", "7")], "ServiceUnavailable"), Failed { .. }));
    }

    #[test]
    fn retry_after_is_seconds_milliseconds_or_a_date_and_at_most_an_hour() {
        let wait = |name, value| retry_after(&header_map([(name, value)].into_iter()), NOW);
        assert_eq!(wait("retry-after", "17"), Some(Duration::from_secs(17)));
        assert_eq!(wait("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(wait("x-ms-retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(wait("retry-after", "Mon, 05 Jan 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("retry-after", "Mon, 05 Jan 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(wait("retry-after", "soon"), None);
    }

    #[test]
    fn a_page_of_html_is_cut() {
        let body = vec![b'x'; 100_000];
        let answer = Answer { status: StatusCode::BAD_GATEWAY, headers: HeaderMap::new(), body };
        assert!(from_answer(&answer, None).to_string().len() < 700);
    }
}
