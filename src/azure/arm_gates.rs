//! Which requests to Azure Resource Manager must wait, because an answer said so.
//!
//! * A `503` concerns one resource: requests of that kind to that resource wait, and no others.
//! * A `429` concerns what its headers and its body name: the reads, writes or deletes of the Azure subscription. If they
//!   name nothing, it concerns requests of that kind to that resource provider.
//! * However long they should wait, one of them is sent every minute, because a service that asks for an hour may recover
//!   within a minute.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;
use url::Url;

use crate::http::Answer;
use crate::sync::Mutex;

/// How long a gate stays closed before one request probes it. A pass a minute then sends one request more than it should,
/// which harms no service.
const PROBE_EVERY: Duration = Duration::from_mins(1);

/// The parts of a request that decide which gates it must pass.
#[derive(Clone, Debug)]
pub(super) struct Request {
    kind: Kind,
    /// Such as `microsoft.containerinstance`.
    provider: Option<String>,
    path: String,
}

/// Requests that wait together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Gate {
    Resource(Kind, String),
    Provider(Kind, Option<String>),
    Subscription(Counter),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Read,
    Create,
    Change,
    Delete,
}

/// What Resource Manager counts per Azure subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counter {
    Reads,
    Writes,
    Deletes,
}

/// The gates that are closed.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<Gate, Shut>>);

#[derive(Clone, Debug)]
struct Shut {
    until: Instant,
    /// When one request may probe whether it is still closed.
    probe_at: Instant,
    code: String,
}

/// What a request may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Free,
    /// It probes its gates: if it succeeds, they open.
    Probe,
    Closed(Closed),
}

/// For how long a gate is closed, and by which of Azure's codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) gate: Gate,
    pub(super) wait: Duration,
    pub(super) code: String,
}

impl Request {
    pub(super) fn of(method: &Method, url: &Url) -> Self {
        let kind = match *method {
            Method::GET | Method::HEAD => Kind::Read,
            Method::PUT => Kind::Create,
            Method::DELETE => Kind::Delete,
            _ => Kind::Change,
        };
        let path = url.path().to_ascii_lowercase();
        let mut segments = path.split('/');
        let provider = segments.find(|segment| *segment == "providers").and_then(|_| segments.next());
        Self { kind, provider: provider.map(str::to_owned), path }
    }

    pub(super) fn is_read(&self) -> bool {
        self.kind == Kind::Read
    }

    /// The requests that a `503` to it concerns.
    pub(super) fn resource(&self) -> Gate {
        Gate::Resource(self.kind, self.path.clone())
    }

    /// The requests that a `429` to it concerns.
    pub(super) fn throttled_by(&self, answer: &Answer) -> Vec<Gate> {
        let mut counters: Vec<_> = [Counter::Reads, Counter::Writes, Counter::Deletes]
            .into_iter()
            .filter(|it| it.is_named_by(answer))
            .collect();
        let own = self.kind.counter();
        if counters.is_empty() && answer.headers.get("x-ms-failure-cause").is_some_and(|cause| cause == "gateway") {
            counters.push(own);
        }
        let is_provider = !counters.contains(&own);
        counters.into_iter().map(Gate::Subscription).chain(is_provider.then(|| self.of_provider())).collect()
    }

    fn of_provider(&self) -> Gate {
        Gate::Provider(self.kind, self.provider.clone())
    }

    fn gates(&self) -> [Gate; 3] {
        [self.resource(), self.of_provider(), Gate::Subscription(self.kind.counter())]
    }
}

impl Kind {
    fn counter(self) -> Counter {
        match self {
            Self::Read => Counter::Reads,
            Self::Create | Self::Change => Counter::Writes,
            Self::Delete => Counter::Deletes,
        }
    }
}

impl Counter {
    /// Whether an answer says that it is used up: `x-ms-ratelimit-remaining-subscription-writes: 0`, or "Number of 'write'
    /// requests for subscription … exceeded".
    fn is_named_by(self, answer: &Answer) -> bool {
        let (in_header, in_body) = match self {
            Self::Reads => ("-reads", "'read' requests"),
            Self::Writes => ("-writes", "'write' requests"),
            Self::Deletes => ("-deletes", "'delete' requests"),
        };
        let is_used_up = |name: &str| name.starts_with("x-ms-ratelimit-remaining-") && name.ends_with(in_header);
        answer.headers.iter().any(|(name, value)| is_used_up(name.as_str()) && value == "0")
            || String::from_utf8_lossy(&answer.body).contains(in_body)
    }
}

impl Gates {
    /// Closes the gate for this long, unless it is already closed for longer.
    pub(super) fn close(&self, Closed { gate, wait, code }: Closed) {
        let now = Instant::now();
        let (until, probe_at) = (now + wait, now + PROBE_EVERY);
        let mut shut = self.0.lock();
        let shut = shut.entry(gate).or_insert_with(|| Shut { until, probe_at, code: String::new() });
        shut.probe_at = probe_at;
        if shut.until <= until {
            (shut.until, shut.code) = (until, code);
        }
    }

    /// Opens all gates for such a request, because a probe succeeded.
    pub(super) fn open(&self, request: &Request) {
        let mut shut = self.0.lock();
        for gate in request.gates() {
            shut.remove(&gate);
        }
    }

    /// Whether a request must still wait.
    pub(super) fn passage(&self, request: &Request) -> Passage {
        let now = Instant::now();
        let mut shut = self.0.lock();
        shut.retain(|_, shut| shut.until > now);
        let gates = request.gates();
        let in_the_way = gates.iter().filter_map(|gate| Some((gate, shut.get(gate)?)));
        let Some((gate, longest)) = in_the_way.clone().max_by_key(|(_, shut)| shut.until) else { return Passage::Free };
        if in_the_way.clone().any(|(_, shut)| now < shut.probe_at) {
            let (gate, wait, code) = (gate.clone(), longest.until - now, longest.code.clone());
            return Passage::Closed(Closed { gate, wait, code });
        }
        for gate in &gates {
            shut.entry(gate.clone()).and_modify(|shut| shut.probe_at = now + PROBE_EVERY);
        }
        Passage::Probe
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::http::header_map;

    const GROUP: &str = "/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerInstance/containerGroups/g";
    const OTHER_GROUP: &str =
        "/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerInstance/containerGroups/h";
    const TOPIC: &str = "/subscriptions/s/resourcegroups/r/PROVIDERS/Microsoft.ServiceBus/namespaces/n";
    const SECOND: Duration = Duration::from_secs(1);

    fn request(method: &Method, path: &str) -> Request {
        Request::of(method, &Url::parse("https://management.azure.com").unwrap().join(path).unwrap())
    }

    /// Which requests have to wait after a `429` to a PUT of a group that has these headers and this body.
    fn waiting_after_429(headers: &[(&str, &str)], body: &str) -> Vec<&'static str> {
        let gates = Gates::default();
        let answer = Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers: header_map(headers.iter().copied()),
            body: body.as_bytes().to_vec(),
        };
        for gate in request(&Method::PUT, GROUP).throttled_by(&answer) {
            gates.close(Closed { gate, wait: SECOND, code: "TooManyRequests".to_owned() });
        }
        [
            ("put", Method::PUT, OTHER_GROUP),
            ("patch", Method::PATCH, OTHER_GROUP),
            ("get", Method::GET, GROUP),
            ("delete", Method::DELETE, GROUP),
            ("get of another provider", Method::GET, TOPIC),
            ("put of another provider", Method::PUT, TOPIC),
        ]
        .into_iter()
        .filter(|(_, method, path)| gates.passage(&request(method, path)) != Passage::Free)
        .map(|(name, ..)| name)
        .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_closes_what_it_names() {
        assert_eq!(waiting_after_429(&[], ""), ["put"]);
        let resource = ("x-ms-ratelimit-remaining-subscription-resource-requests-pt5m", "0");
        assert_eq!(waiting_after_429(&[resource], ""), ["put"]);
        let writes = ["put", "patch", "put of another provider"];
        assert_eq!(waiting_after_429(&[("x-ms-failure-cause", "gateway")], ""), writes);
        assert_eq!(waiting_after_429(&[("x-ms-ratelimit-remaining-subscription-writes", "0")], ""), writes);
        assert_eq!(waiting_after_429(&[], "Number of 'write' requests for subscription 's' exceeded."), writes);
        let reads = ("x-ms-ratelimit-remaining-subscription-global-reads", "0");
        assert_eq!(waiting_after_429(&[reads], ""), ["put", "get", "get of another provider"]);
        assert_eq!(waiting_after_429(&[("x-ms-ratelimit-remaining-subscription-writes", "17")], ""), ["put"]);
    }

    fn closed(gates: &Gates, of: &Request) -> Option<Duration> {
        match gates.passage(of) {
            Passage::Closed(Closed { wait, .. }) => Some(wait),
            _ => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_503_closes_its_resource_for_its_time_alone() {
        let gates = Gates::default();
        let of = request(&Method::GET, GROUP);
        for wait in [2 * SECOND, SECOND] {
            gates.close(Closed { gate: of.resource(), wait, code: "ServiceUnavailable".to_owned() });
        }
        assert_eq!(closed(&gates, &of), Some(2 * SECOND), "the longer one counts");
        assert_eq!(closed(&gates, &request(&Method::GET, OTHER_GROUP)), None);
        assert_eq!(closed(&gates, &request(&Method::PUT, GROUP)), None);
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(gates.passage(&of), Passage::Free);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_closed_for_long_is_probed_once_a_minute_until_a_probe_succeeds() {
        let gates = Gates::default();
        let (one, other) = (request(&Method::PUT, GROUP), request(&Method::PUT, OTHER_GROUP));
        gates.close(Closed { gate: one.of_provider(), wait: 3600 * SECOND, code: "TooManyRequests".to_owned() });
        for _ in 0..2 {
            tokio::time::advance(59 * SECOND).await;
            assert!(closed(&gates, &one).is_some());
            tokio::time::advance(SECOND).await;
            assert_eq!(gates.passage(&other), Passage::Probe);
            assert!(closed(&gates, &one).is_some(), "only one finds out");
        }
        gates.open(&other);
        assert_eq!(gates.passage(&one), Passage::Free);
    }
}
