//! Which requests to Azure Resource Manager have to wait, because an answer has said so.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;
use url::Url;

use crate::sync::Mutex;

/// The requests that Azure counts together: those of one kind to one resource provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Gate {
    kind: Kind,
    /// Such as `microsoft.containerinstance`; all of them, if there is none.
    provider: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Read,
    Write,
    Delete,
}

/// The gates that are closed, until when, and by which of Azure's codes.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<Gate, (Instant, String)>>);

/// For how long a gate is closed, and by which of Azure's codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) wait: Duration,
    pub(super) code: String,
}

impl Gate {
    pub(super) fn of(method: &Method, url: &Url) -> Self {
        let kind = match *method {
            Method::GET | Method::HEAD => Kind::Read,
            Method::DELETE => Kind::Delete,
            _ => Kind::Write,
        };
        let mut segments = url.path_segments().into_iter().flatten();
        let provider = segments.find(|segment| segment.eq_ignore_ascii_case("providers")).and_then(|_| segments.next());
        Self { kind, provider: provider.map(str::to_ascii_lowercase) }
    }

    /// The gate of requests of the same kind to every provider.
    pub(super) fn of_all_providers(&self) -> Self {
        Self { provider: None, ..self.clone() }
    }

    /// Whether its requests only read.
    pub(super) fn is_read(&self) -> bool {
        self.kind == Kind::Read
    }
}

impl Gates {
    /// Lets nothing pass for as long, or longer if it is closed for longer already.
    pub(super) fn close(&self, gate: Gate, Closed { wait, code }: Closed) {
        let until = Instant::now() + wait;
        let mut closed = self.0.lock();
        if closed.get(&gate).is_none_or(|(at, _)| *at < until) {
            closed.insert(gate, (until, code));
        }
    }

    /// Whether a request still has to wait.
    pub(super) fn closed(&self, gate: &Gate) -> Option<Closed> {
        let now = Instant::now();
        let mut closed = self.0.lock();
        closed.retain(|_, (until, _)| *until > now);
        let (until, code) = closed.get(gate).max(closed.get(&gate.of_all_providers()))?;
        Some(Closed { wait: *until - now, code: code.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(method: &Method, path: &str) -> Gate {
        Gate::of(method, &Url::parse("https://management.azure.com").unwrap().join(path).unwrap())
    }

    const GROUPS: &str = "/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerInstance/containerGroups/g";
    const TOPICS: &str = "/subscriptions/s/resourcegroups/r/PROVIDERS/Microsoft.ServiceBus/namespaces/n";
    const SECOND: Duration = Duration::from_secs(1);

    fn closed_for(wait: Duration) -> Closed {
        Closed { wait, code: format!("{} s", wait.as_secs()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_is_closed_for_its_kind_and_provider_and_for_its_time_alone() {
        let gates = Gates::default();
        gates.close(gate(&Method::PUT, GROUPS), closed_for(2 * SECOND));
        gates.close(gate(&Method::PUT, GROUPS), closed_for(SECOND));
        assert_eq!(gates.closed(&gate(&Method::PUT, GROUPS)), Some(closed_for(2 * SECOND)), "the longer one counts");
        assert_eq!(gates.closed(&gate(&Method::DELETE, GROUPS)), None);
        assert_eq!(gates.closed(&gate(&Method::GET, GROUPS)), None);
        assert_eq!(gates.closed(&gate(&Method::PUT, TOPICS)), None);
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(gates.closed(&gate(&Method::PUT, GROUPS)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_resource_manager_itself_refuses_is_closed_for_all_providers() {
        let gates = Gates::default();
        gates.close(gate(&Method::GET, GROUPS).of_all_providers(), closed_for(SECOND));
        assert_eq!(gates.closed(&gate(&Method::GET, TOPICS)), Some(closed_for(SECOND)));
        assert_eq!(gates.closed(&gate(&Method::PUT, TOPICS)), None);
    }
}
