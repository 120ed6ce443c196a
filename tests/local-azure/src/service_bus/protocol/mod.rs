//! AMQP 1.0 on TCP, as far as clients of Service Bus use it.

mod attach;
mod cbs;
mod connection;
mod delivery;
mod exchange;
mod frame;
mod handshake;
mod incoming;
mod management;
mod request;
mod session;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;

/// Serves every connection that comes in until `stop`.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let served = connection::serve(stream, Arc::clone(&shared));
                    let stop = stop.clone();
                    tokio::spawn(async move {
                        if let Some(Err(error)) = stop.run_until_cancelled_owned(served).await {
                            debug!(%error, "a Service Bus connection ended");
                        }
                    });
                }
                Err(error) => debug!(%error, "a Service Bus connection could not be accepted"),
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
}
