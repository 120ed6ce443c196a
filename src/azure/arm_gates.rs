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

/// The gates that are closed, and until when.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<Gate, Instant>>);

impl Gate {
    /// The gate of a request.
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
    /// Lets nothing pass for this long.
    pub(super) fn close(&self, gate: Gate, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed = self.0.lock();
        closed.entry(gate).and_modify(|at| *at = until.max(*at)).or_insert(until);
    }

    /// How long a request still has to wait, if it has to.
    pub(super) fn wait(&self, gate: &Gate) -> Option<Duration> {
        let now = Instant::now();
        let mut closed = self.0.lock();
        closed.retain(|_, until| *until > now);
        let until = closed.get(gate).max(closed.get(&gate.of_all_providers()))?;
        Some(*until - now)
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

    #[tokio::test(start_paused = true)]
    async fn a_gate_is_closed_for_its_kind_and_provider_and_for_its_time_alone() {
        let gates = Gates::default();
        gates.close(gate(&Method::PUT, GROUPS), 2 * SECOND);
        gates.close(gate(&Method::PUT, GROUPS), SECOND);
        assert_eq!(gates.wait(&gate(&Method::PUT, GROUPS)), Some(2 * SECOND), "the longer one counts");
        assert_eq!(gates.wait(&gate(&Method::DELETE, GROUPS)), None);
        assert_eq!(gates.wait(&gate(&Method::GET, GROUPS)), None);
        assert_eq!(gates.wait(&gate(&Method::PUT, TOPICS)), None);
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(gates.wait(&gate(&Method::PUT, GROUPS)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_resource_manager_itself_refuses_is_closed_for_all_providers() {
        let gates = Gates::default();
        gates.close(gate(&Method::GET, GROUPS).of_all_providers(), SECOND);
        assert_eq!(gates.wait(&gate(&Method::GET, TOPICS)), Some(SECOND));
        assert_eq!(gates.wait(&gate(&Method::PUT, TOPICS)), None);
    }
}
