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
mod rules;
mod scheduled;
mod session;

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;

/// Serves every connection until `stop`. Those that begin like HTTP go to administration.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    others: UnboundedSender<TcpStream>,
    stop: CancellationToken,
) {
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let mut cut = shared.cut.subscribe();
                    let (shared, others) = (Arc::clone(&shared), others.clone());
                    let served = async move {
                        tokio::select! {
                            served = serve(stream, shared, others) => served,
                            _ = cut.changed() => Ok(()),
                        }
                    };
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

/// Tells AMQP from HTTP by the first byte: no method of HTTP begins with an A.
async fn serve(stream: TcpStream, shared: Arc<Shared>, others: UnboundedSender<TcpStream>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    match timeout(shared.config.idle_time_out, stream.peek(&mut first)).await?? {
        0 => Ok(()),
        _ if first != *b"A" && first[0].is_ascii_uppercase() => {
            // Once the namespace is stopping, nothing receives them.
            others.send(stream).map_err(|_| io::ErrorKind::ConnectionAborted.into())
        }
        _ => connection::serve(stream, shared).await,
    }
}
