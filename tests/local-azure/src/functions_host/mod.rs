//! A Functions host: starts a custom handler as the host in Azure does, invokes it, and is as strict about it.
//!
//! It does what azure-functions-host 4.x does with a handler that serves timers, including its failures: an answer that it
//! ignores, a handler that exits with 0 and is never started again, a third crash that ends the host.

mod admin;
mod app;
mod client;
mod config;
mod control;
mod exit_policy;
mod half_request;
mod keys;
mod meddling;
mod output;
mod records;
mod request;
mod response;
mod schedule;
mod status;
mod streams;
mod timer;
pub mod variants;
mod worker;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

pub use self::app::AppError;
pub use self::client::{HandlerClient, Outcome};
pub use self::config::{HostConfig, ShutdownMode, StartError};
pub use self::half_request::{Half, HalfRequest};
pub use self::records::{Level, LogRecord, Records};
pub use self::request::{Framing, Invocation};
pub use self::streams::{Reading, Streams};
pub use self::timer::TimerClock;

use self::app::App;
use self::exit_policy::ExitPolicy;
use self::status::StatusFile;
use self::timer::Timer;
use self::worker::{Launch, Order, State, Supervisor};

/// How long a function that timed out may still take to answer before its handler is killed.
const TIMEOUT_GRACE: Duration = Duration::from_secs(2);
/// How long a stopping host waits for the runs of its timers.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// A running host. Dropping it kills the handler without waiting for runs.
#[derive(Debug)]
pub struct FunctionsHost {
    shared: Arc<Shared>,
    admin_address: SocketAddr,
    closing: watch::Sender<bool>,
    timers: JoinSet<()>,
    shutdown: ShutdownMode,
    /// The supervisor and the admin endpoints, which end with this.
    _tasks: JoinSet<()>,
    _port_reservation: TcpSocket,
}

/// What the host's tasks work with.
#[derive(Debug)]
struct Shared {
    app: App,
    client: HandlerClient,
    records: Records,
    clock: TimerClock,
    framing: Framing,
    state_folder: PathBuf,
    dispatch_limit: Duration,
    outcomes: Option<mpsc::UnboundedSender<Outcome>>,
    state: watch::Receiver<State>,
    /// The handler's process, while it runs.
    process: watch::Receiver<Option<u32>>,
    streams: watch::Sender<Streams>,
    /// The half requests that the control API sent.
    half_requests: Mutex<Vec<HalfRequest>>,
    orders: mpsc::Sender<Order>,
}

impl FunctionsHost {
    /// Starts a host. It does not wait for the handler to be ready; an invocation does.
    pub async fn start(config: HostConfig) -> Result<Self, StartError> {
        // The folder must have the same meaning in the handler's working directory.
        let root = std::path::absolute(&config.script_root)?;
        let app = App::load(&root, &config.settings)?;
        let (port_reservation, port) = reserve_port()?;
        let client = HandlerClient::new(port)?;
        let records = Records::default();
        for problem in &app.problems {
            records.add(Level::Error, "Host.Startup", problem);
        }
        let (state_sender, state) = watch::channel(State::Initializing);
        let (process_sender, process) = watch::channel(None);
        let streams = watch::Sender::new(config.streams);
        let (orders, order_receiver) = mpsc::channel(1);
        let supervisor = Supervisor {
            launch: Launch::new(&app, &root, &config.settings, port, config.shutdown),
            client: client.clone(),
            records: records.clone(),
            state: state_sender,
            process: process_sender,
            streams: streams.subscribe(),
            orders: order_receiver,
            policy: ExitPolicy::default(),
        };
        let shared = Arc::new(Shared {
            app,
            client,
            records,
            clock: config.clock,
            framing: config.framing,
            state_folder: config.state_folder,
            dispatch_limit: config.dispatch_limit,
            outcomes: config.outcomes,
            state,
            process,
            streams,
            half_requests: Mutex::default(),
            orders,
        });
        let mut tasks = JoinSet::new();
        let admin_address = admin::serve(Arc::clone(&shared), config.admin, &mut tasks).await?;
        // Without a function no handler is needed.
        if !shared.app.functions.is_empty() {
            tasks.spawn(supervisor.run());
        }
        let closing = watch::Sender::new(false);
        let mut timers = JoinSet::new();
        for function in shared.app.functions.iter().filter(|function| config.timers && !function.is_disabled) {
            if let Some(timer) = Timer::start(function, &shared).await {
                timers.spawn(timer.run(Arc::clone(&shared), closing.subscribe()));
            }
        }
        Ok(Self {
            shared,
            admin_address,
            closing,
            timers,
            shutdown: config.shutdown,
            _tasks: tasks,
            _port_reservation: port_reservation,
        })
    }

    /// What a run by hand would send; nothing if there is no such function.
    pub async fn invocation(&self, function: &str) -> Option<Invocation> {
        self.shared.manual(function).await
    }

    /// Invokes a function and waits for its end, and for its handler's end if it times out.
    pub async fn invoke(&self, invocation: &Invocation) -> Outcome {
        self.shared.invoke(invocation).await
    }

    /// What the host logged.
    pub fn records(&self) -> &Records {
        &self.shared.records
    }

    /// Where it serves `POST /admin/functions/{name}` and `GET /admin/host/status`.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Stops the timers, lets them end their runs as the mode has it, and ends the handler.
    pub async fn stop(mut self) {
        self.closing.send_replace(true);
        if self.shutdown == ShutdownMode::Kill {
            _ = timeout(DRAIN_LIMIT, all(&mut self.timers)).await;
            self.timers.shutdown().await;
        }
        self.shared.shut_down("it was stopped").await;
        all(&mut self.timers).await;
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

impl Shared {
    async fn manual(&self, function: &str) -> Option<Invocation> {
        let function = self.app.function(function)?;
        let status = StatusFile::new(&self.state_folder, &function.name).load().await.unwrap_or_default();
        let mut invocation = timer::invocation(function, status, false, self.clock.now());
        invocation.framing = self.framing;
        Some(invocation)
    }

    async fn invoke(&self, invocation: &Invocation) -> Outcome {
        let (name, id, start) = (&invocation.function, invocation.id, Instant::now());
        let category = format!("Function.{name}");
        let log = |level, message: String| self.records.add(level, &*category, message);
        log(Level::Information, format!("Executing 'Functions.{name}' (Reason='{}', Id={id})", invocation.reason));
        let outcome = match self.initialized().await {
            Ok(()) => self.client.invoke(invocation, self.app.function_timeout).await,
            Err(reason) => Outcome::Failed { reason },
        };
        let (level, result) = match &outcome {
            Outcome::Succeeded { logs, .. } => {
                for line in logs {
                    self.records.add(Level::Information, format!("{category}.User"), line);
                }
                (Level::Information, "Succeeded")
            }
            Outcome::Failed { reason } => {
                log(Level::Error, reason.clone());
                (Level::Error, "Failed")
            }
            Outcome::TimedOut => {
                let limit = self.app.function_timeout.unwrap_or_default().as_secs_f64();
                log(Level::Error, format!("Timeout value of {limit} s was exceeded by function: Functions.{name}"));
                (Level::Error, "Failed")
            }
        };
        let duration = start.elapsed().as_millis();
        log(level, format!("Executed 'Functions.{name}' ({result}, Id={id}, Duration={duration}ms)"));
        if let Some(outcomes) = &self.outcomes {
            // There may be no listener.
            _ = outcomes.send(outcome.clone());
        }
        if outcome == Outcome::TimedOut {
            sleep(TIMEOUT_GRACE).await;
            self.order(Order::Restart).await;
        }
        outcome
    }

    /// Waits for the handler to be ready.
    async fn initialized(&self) -> Result<(), String> {
        let mut state = self.state.clone();
        let settled = timeout(self.dispatch_limit, state.wait_for(|state| *state != State::Initializing)).await;
        match settled.map(|state| state.map(|state| state.clone())) {
            Ok(Ok(State::ShutDown(reason))) => Err(reason),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("there is no function".to_owned()),
            Err(_) => {
                let reason =
                    "Final functionDispatcher state: Initializing. Initialization timed out and host is shutting down";
                self.shut_down(reason).await;
                Err(reason.to_owned())
            }
        }
    }

    async fn shut_down(&self, reason: &str) {
        self.order(|done| Order::Stop(reason.to_owned(), done)).await;
    }

    /// Gives an order and waits until it is carried out; a host that is shut down carries out none.
    async fn order(&self, order: impl FnOnce(oneshot::Sender<()>) -> Order) {
        let (done, is_done) = oneshot::channel();
        if self.orders.send(order(done)).await.is_ok() {
            _ = is_done.await;
        }
    }

    fn is_shut_down(&self) -> bool {
        matches!(*self.state.borrow(), State::ShutDown(_))
    }
}

/// Chooses a port for the handler, and keeps others from taking it for as long as the socket lives.
///
/// The host itself releases the port before it starts the handler, and sometimes loses it. Here many hosts run side by side. A
/// socket that is bound and does not listen hinders neither handlers that set `SO_REUSEADDR`, as servers do, nor the refusal of
/// connections before a handler listens.
fn reserve_port() -> io::Result<(TcpSocket, u16)> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}
