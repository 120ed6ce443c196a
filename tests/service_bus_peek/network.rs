//! A network that can be in trouble.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of the connections there are; later ones are well.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    Reset,
    /// Nothing comes through any more, and nobody is told.
    Forgotten,
}

/// What is between a client and the namespace.
pub struct Network {
    pub port: u16,
    pub trouble: Arc<watch::Sender<Option<Trouble>>>,
    /// What clients have sent.
    pub sent: Arc<Mutex<Vec<u8>>>,
    /// How many bytes a client may send on one connection before it is reset.
    allowed: Arc<AtomicUsize>,
}

impl Network {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = Self {
            port: listener.local_addr().unwrap().port(),
            trouble: Arc::default(),
            sent: Arc::default(),
            allowed: Arc::new(usize::MAX.into()),
        };
        let (trouble, sent) = (Arc::clone(&network.trouble), Arc::clone(&network.sent));
        let allowed = Arc::clone(&network.allowed);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let service = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(carry(client, service, trouble.subscribe(), Arc::clone(&sent), allowed.load(Relaxed)));
            }
        });
        network
    }

    /// Resets every connection to come once a client has sent so much on it.
    pub fn reset_after(&self, bytes: usize) {
        self.allowed.store(bytes, Relaxed);
    }
}

async fn carry(
    mut client: TcpStream,
    mut service: TcpStream,
    mut trouble: watch::Receiver<Option<Trouble>>,
    sent: Arc<Mutex<Vec<u8>>>,
    mut allowed: usize,
) {
    for stream in [&client, &service] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_service, mut to_service) = service.split();
    let up = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            sent.lock().unwrap().extend(&bytes[..count]);
            allowed = allowed.saturating_sub(count);
            if allowed == 0 {
                return;
            }
            if to_service.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => if allowed == 0 {
            client.set_zero_linger().unwrap();
            return;
        },
        _ = copy(&mut from_service, &mut to_client) => {}
        Ok(()) = trouble.changed() => {}
    }
    let trouble = *trouble.borrow();
    match trouble {
        Some(Trouble::Reset) => client.set_zero_linger().unwrap(),
        Some(Trouble::Forgotten) => pending().await,
        None => {}
    }
}
