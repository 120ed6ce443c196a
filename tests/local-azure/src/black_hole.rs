//! Addresses that swallow packets: a client that connects to one gets no answer, not even a refusal.
//!
//! A socket listens and accepts nothing, and its queue of connections is full, so the system drops further packets. Next to a
//! working address with the same port (`127.0.0.2` or `[::1]` next to `127.0.0.1`), it acts as the broken address of a name.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a connection on the loopback address may take before it counts as swallowed.
const UNHEARD: Duration = Duration::from_millis(250);
/// More connections than the shortest queue of any system holds.
const MOST_CONNECTIONS: usize = 32;

/// An address that swallows packets until this is dropped.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    /// The connections that fill the queue.
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    /// Swallows all packets to this address; a port of 0 means any free one.
    ///
    /// # Errors
    /// When the address is taken, or the system does not drop what finds the queue full.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut queued = Vec::new();
        for _ in 0..MOST_CONNECTIONS {
            match timeout(UNHEARD, TcpStream::connect(address)).await {
                Ok(connected) => queued.push(connected?),
                Err(_) => return Ok(Self { address, _listener: listener, _queued: queued }),
            }
        }
        Err(io::Error::other(format!("{address} goes on taking connections")))
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Black holes that last as long as what holds them. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct BlackHoles(Arc<Mutex<Vec<BlackHole>>>);

impl BlackHoles {
    /// Opens one more, and returns its address.
    ///
    /// # Errors
    /// Those of [`BlackHole::open`].
    pub async fn open(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let hole = BlackHole::open(address).await?;
        let address = hole.address();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(hole);
        Ok(address)
    }

    /// Their addresses.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(BlackHole::address).collect()
    }

    /// Closes all of them.
    pub fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
