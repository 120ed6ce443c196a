//! One connection, from the first byte to the last.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::performatives::{Close, End, Open};
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use uuid::Uuid;

use super::cbs::Tokens;
use super::frame::{self, Incoming, MAX_FRAME_SIZE, error};
use super::handshake;
use super::session::{Context, Dropped, Later, Session};
use crate::clock;
use crate::service_bus::faults::Effect;
use crate::service_bus::{Call, Operation, Shared};

/// The highest channel number that the service announces.
const CHANNEL_MAX: u16 = 4_999;

/// Serves a client until either end closes the connection.
///
/// # Errors
/// When the client breaks the protocol or the socket fails.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    shared.calls.record(Call::Connect);
    let effects = shared.faults.happen(Operation::Connect, None);
    if effects.contains(&Effect::Hang) {
        pending::<()>().await;
    }
    if let Some(delay) = effects.delay() {
        sleep(delay).await;
    }
    if effects.contains(&Effect::DropConnection) {
        return Ok(());
    }
    if effects.contains(&Effect::BrokenFrame) {
        return handshake::break_off(&mut stream).await;
    }
    let authentication = handshake::run(&mut stream, &shared.config).await?;

    let (reader, writer) = stream.into_split();
    let (out, frames) = mpsc::unbounded_channel();
    let writer = tokio::spawn(write(writer, frames));
    let (later, put_off) = mpsc::unbounded_channel();
    let tokens = Tokens::new(authentication);
    let context = Context { shared, tokens, out, later, client_max_frame: LEAST_MAX_FRAME };
    let connection = Connection { context, sessions: HashMap::new(), heartbeat: None };
    connection.open();
    if let Some((_, condition, description)) = effects.refusal() {
        connection.close(Some(error(condition, description)));
    }
    let ended = connection.run(FramedRead::new(reader, frame::codec()), put_off).await;
    // The last frames must still reach the client.
    let _ = writer.await;
    ended
}

/// The largest frame that every client accepts, in bytes (AMQP 1.0 part 2, section 2.3).
const LEAST_MAX_FRAME: usize = 512;

struct Connection {
    context: Context,
    sessions: HashMap<u16, Session>,
    /// How often the client wants a frame, and when the next one is due.
    heartbeat: Option<(Duration, Instant)>,
}

impl Connection {
    /// Works until the connection ends.
    async fn run(
        mut self,
        mut frames: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
        mut put_off: mpsc::UnboundedReceiver<Later>,
    ) -> io::Result<()> {
        let idle_time_out = self.context.shared.config.idle_time_out;
        let mut available = self.context.shared.available.subscribe();
        let mut silent_since = Instant::now();
        loop {
            let next_heartbeat = self.heartbeat;
            tokio::select! {
                frame = frames.next() => {
                    silent_since = Instant::now();
                    let Some(frame) = frame.transpose()? else { return Ok(()) };
                    if self.on_frame(frame).is_err() {
                        return Ok(());
                    }
                }
                Some(later) = put_off.recv() => {
                    self.with_session(later.channel, |session, context| session.act(later.action, context));
                }
                Ok(()) = available.changed() => self.deliver(),
                () = self.next_expiry() => self.expire(),
                () = heartbeat(next_heartbeat) => self.send_heartbeat(),
                // The announced time is half of what a client really gets, as on the service.
                () = sleep_until(silent_since + idle_time_out * 2) => {
                    let description = "The connection was inactive for more than the allowed time.";
                    self.close(Some(error("amqp:connection:forced", description)));
                    return Ok(());
                }
            }
        }
    }

    fn open(&self) {
        let idle_time_out = self.context.shared.config.idle_time_out;
        let open = Open {
            container_id: format!("{}_G0", Uuid::new_v4().simple()),
            hostname: None,
            max_frame_size: MAX_FRAME_SIZE.into(),
            channel_max: CHANNEL_MAX.into(),
            idle_time_out: Some(u32::try_from(idle_time_out.as_millis()).unwrap_or(u32::MAX)),
            outgoing_locales: None,
            incoming_locales: None,
            offered_capabilities: None,
            desired_capabilities: None,
            properties: None,
        };
        self.context.send(0, &open);
    }

    fn close(&self, error: Option<fe2o3_amqp_types::definitions::Error>) {
        self.context.send(0, &Close { error });
    }

    fn on_frame(&mut self, frame: BytesMut) -> Result<(), Dropped> {
        let (channel, incoming) = match frame::decode(frame) {
            Ok(decoded) => decoded,
            Err(reason) => {
                self.close(Some(error("amqp:decode-error", reason)));
                return Err(Dropped);
            }
        };
        match incoming {
            Incoming::Disposition(disposition) => {
                self.with_session(channel, |session, context| session.on_disposition(&disposition, context));
            }
            Incoming::Frame(FrameBody::Open(open)) => self.on_open(&open),
            Incoming::Frame(FrameBody::Begin(begin)) => {
                self.sessions.insert(channel, Session::begin(channel, &begin, &self.context));
            }
            Incoming::Frame(FrameBody::Attach(attach)) => {
                return self
                    .with_session(channel, |session, context| session.on_attach(attach, context))
                    .unwrap_or(Ok(()));
            }
            Incoming::Frame(FrameBody::Flow(flow)) => {
                self.with_session(channel, |session, context| session.on_flow(&flow, context));
            }
            Incoming::Frame(FrameBody::Transfer { performative, payload }) => {
                let taken = self
                    .with_session(channel, |session, context| session.on_transfer(&performative, &payload, context));
                return taken.unwrap_or(Ok(()));
            }
            Incoming::Frame(FrameBody::Detach(detach)) => {
                self.with_session(channel, |session, context| session.on_detach(detach, context));
            }
            Incoming::Frame(FrameBody::End(_)) => {
                // Locks stay until they expire, as on the service.
                if self.sessions.remove(&channel).is_some_and(|session| !session.ended) {
                    self.context.send(channel, &End { error: None });
                }
            }
            Incoming::Frame(FrameBody::Close(_)) => {
                self.close(None);
                return Err(Dropped);
            }
            Incoming::Frame(FrameBody::Disposition(_) | FrameBody::Empty) => {}
        }
        Ok(())
    }

    fn on_open(&mut self, open: &Open) {
        self.context.client_max_frame = (open.max_frame_size.0 as usize).max(LEAST_MAX_FRAME);
        self.heartbeat = open.idle_time_out.filter(|time_out| *time_out > 0).map(|time_out| {
            // Twice as often as needed, so that a late one does no harm.
            let period = Duration::from_millis((u64::from(time_out) / 2).max(1));
            (period, Instant::now() + period)
        });
    }

    /// Works on a session, unless it is unknown or over.
    fn with_session<T>(&mut self, channel: u16, work: impl FnOnce(&mut Session, &mut Context) -> T) -> Option<T> {
        let session = self.sessions.get_mut(&channel).filter(|session| !session.ended)?;
        Some(work(session, &mut self.context))
    }

    fn deliver(&mut self) {
        for session in self.sessions.values_mut() {
            session.deliver(&self.context);
        }
    }

    fn send_heartbeat(&mut self) {
        let _ = self.context.out.send(frame::heartbeat());
        if let Some((period, due)) = &mut self.heartbeat {
            *due = Instant::now() + *period;
        }
    }

    /// Waits until a lock or a token that matters to a link expires.
    async fn next_expiry(&self) {
        let locks = self.sessions.values().filter_map(|session| session.next_lock_expiry(&self.context));
        match locks.chain(self.context.tokens.next_expiry()).min() {
            Some(at) => sleep(Duration::try_from(at - clock::now()).unwrap_or_default()).await,
            None => pending().await,
        }
    }

    fn expire(&mut self) {
        let now = clock::now();
        if self.context.tokens.next_expiry().is_some_and(|at| at <= now) {
            self.context.tokens.expire(now);
            for session in self.sessions.values_mut() {
                session.detach_unauthorized(&self.context, now);
            }
        }
        self.deliver();
    }
}

async fn heartbeat(due: Option<(Duration, Instant)>) {
    match due {
        Some((_, due)) => sleep_until(due).await,
        None => pending().await,
    }
}

/// Writes frames as they come; those that wait are written together.
async fn write(mut writer: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) {
    /// Bytes that are gathered for one write.
    const GATHERED: usize = 1 << 18;
    while let Some(mut bytes) = frames.recv().await {
        while bytes.len() < GATHERED
            && let Ok(more) = frames.try_recv()
        {
            bytes.extend(more);
        }
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}
