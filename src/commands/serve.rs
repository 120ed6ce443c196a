//! Serves the Functions host until a signal ends it.

use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use tokio::net::TcpListener;

use super::{FAILED, USAGE};
use crate::azure;
use crate::clock::Clock;
use crate::error::chain;
use crate::handler::{self, Signals};
use crate::pass::Scaler;
use crate::settings::{Environment as _, ProcessEnvironment, Settings};

/// The port that the host chose is not available.
#[derive(Debug, thiserror::Error)]
#[error("it cannot listen on port {port} of {}", Ipv4Addr::LOCALHOST)]
struct ListenError {
    port: u16,
    #[source]
    reason: io::Error,
}

/// Listening comes first: the host waits for it.
pub(super) async fn serve(settings: &Settings, environment: &ProcessEnvironment) -> ExitCode {
    let served = async {
        let port = handler::port(|name| environment.get(name))?;
        let mut signals = Signals::listen()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.map_err(|reason| ListenError { port, reason })?;
        let clock = Clock::system();
        let services = azure::services(settings, environment, &clock)?;
        let scaler = Scaler::new(services, settings, clock);
        tracing::info!(
            event = "serving",
            version = env!("CARGO_PKG_VERSION"),
            port,
            "the scaler serves the Functions host"
        );
        let (deadline, between) = (scaler.pass_deadline(), settings.processing.least_between_passes());
        let served = handler::serve(listener, scaler, deadline, between, signals.received());
        Ok::<_, Box<dyn std::error::Error>>(served.await?)
    };
    match served.await {
        Ok(signal) => signal.exit_code().into(),
        Err(error) => {
            tracing::error!(event = "not_serving", "the scaler cannot serve: {}", chain(error.as_ref()));
            let is_setting = error.is::<handler::PortError>();
            if is_setting { USAGE.into() } else { FAILED.into() }
        }
    }
}
