//! The handler's process: started, watched, started again.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::app::App;
use super::client::HandlerClient;
use super::config::ShutdownMode;
use super::exit_policy::{ExitPolicy, Next};
use super::output::Output;
use super::records::{Level, Records};
use super::streams::{Reading, Streams};
use crate::processes::{self, Signal};

/// The category of the host's lines about the process.
const WORKER: &str = "Worker";
/// How often the host asks whether the handler is ready.
const READINESS_INTERVAL: Duration = Duration::from_millis(25);
/// How long `func start` lets a handler live after Ctrl-C.
const CORE_TOOLS_GRACE: Duration = Duration::from_secs(2);

/// What the host believes about its handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not ready yet, or its executable could not be started at all.
    Initializing,
    /// It was ready. It may have exited with 0 since.
    Initialized,
    /// The host is shut down, for this reason.
    ShutDown(String),
}

/// The host's orders for its handler. Each is answered when it is carried out.
pub(super) enum Order {
    /// Kill it and start another.
    Restart(oneshot::Sender<()>),
    /// Shut down, for this reason.
    Stop(String, oneshot::Sender<()>),
}

/// How a handler is started.
#[derive(Debug)]
pub(super) struct Launch {
    executable: PathBuf,
    arguments: Vec<String>,
    working_directory: PathBuf,
    environment: BTreeMap<String, String>,
    initialization_timeout: Duration,
    stderr_is_for_errors: bool,
    shutdown: ShutdownMode,
}

impl Launch {
    /// For an app; its environment has only the settings and what the host adds.
    pub(super) fn new(
        app: &App,
        root: &Path,
        settings: &BTreeMap<String, String>,
        port: u16,
        shutdown: ShutdownMode,
    ) -> Self {
        let in_root = root.join(&app.executable);
        let mut environment = settings.clone();
        for name in ["FUNCTIONS_HTTPWORKER_PORT", "FUNCTIONS_CUSTOMHANDLER_PORT"] {
            environment.insert(name.to_owned(), port.to_string());
        }
        environment.insert("FUNCTIONS_APP_ROOT_PATH".to_owned(), root.display().to_string());
        Self {
            // Anything else is looked up on the PATH, which is among the settings.
            executable: if is_there(&in_root) { in_root } else { app.executable.clone() },
            arguments: app.arguments.clone(),
            working_directory: app.working_directory.clone(),
            environment,
            initialization_timeout: app.initialization_timeout,
            stderr_is_for_errors: app.stderr_is_for_errors,
            shutdown,
        }
    }

    fn spawn(&self, worker_id: &str, streams: Streams) -> io::Result<Child> {
        let mut command = Command::new(&self.executable);
        command
            .args(&self.arguments)
            .current_dir(&self.working_directory)
            .env_clear()
            .envs(&self.environment)
            .envs(["FUNCTIONS_HTTPWORKER_ID", "FUNCTIONS_CUSTOMHANDLER_WORKER_ID"].map(|name| (name, worker_id)))
            .stdin(Stdio::null())
            .stdout(end_of(streams.stdout)?)
            .stderr(end_of(streams.stderr)?)
            .kill_on_drop(true);
        // Its own process group, so that it can get the signals that a terminal sends.
        processes::become_group(&mut command);
        command.spawn()
    }
}

/// Keeps a handler running. When it is dropped, the handler is killed.
pub(super) struct Supervisor {
    pub(super) launch: Launch,
    pub(super) client: HandlerClient,
    pub(super) records: Records,
    pub(super) state: watch::Sender<State>,
    pub(super) process: watch::Sender<Option<u32>>,
    pub(super) streams: watch::Receiver<Streams>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) policy: ExitPolicy,
}

impl Supervisor {
    /// Runs handler after handler until the host shuts down.
    pub(super) async fn run(mut self) {
        let mut restarted = None::<oneshot::Sender<()>>;
        loop {
            self.state.send_replace(State::Initializing);
            if let Some(restarted) = restarted.take() {
                _ = restarted.send(());
            }
            let worker_id = Uuid::new_v4().to_string();
            let (reason, done) = match self.start(&worker_id) {
                Ok(child) => match self.watch(child, &worker_id).await {
                    End::Restart => continue,
                    End::Ordered(Order::Restart(done)) => {
                        restarted = Some(done);
                        continue;
                    }
                    End::Ordered(Order::Stop(reason, done)) => (reason, Some(done)),
                    End::ShutDown(reason) => (reason, None),
                },
                Err(error) => {
                    // No restart, and the host goes on waiting for it to be ready.
                    let executable = self.launch.executable.display();
                    self.log(
                        Level::Error,
                        format!("Failed to start Worker Channel. Process fileName: {executable}: {error}"),
                    );
                    match self.orders.recv().await {
                        Some(Order::Stop(reason, done)) => (reason, Some(done)),
                        Some(Order::Restart(done)) => {
                            restarted = Some(done);
                            continue;
                        }
                        None => return,
                    }
                }
            };
            self.log(Level::Information, format!("The host is shut down: {reason}"));
            self.state.send_replace(State::ShutDown(reason));
            if let Some(done) = done {
                _ = done.send(());
            }
            return;
        }
    }

    fn start(&self, worker_id: &str) -> io::Result<Child> {
        let streams = *self.streams.borrow();
        self.launch.spawn(worker_id, streams)
    }

    /// Watches one process, and lets others send it signals.
    async fn watch(&mut self, child: Child, worker_id: &str) -> End {
        self.process.send_replace(child.id());
        let end = self.tend(child, worker_id).await;
        self.process.send_replace(None);
        end
    }

    /// Watches one process until it must be replaced.
    async fn tend(&mut self, mut child: Child, worker_id: &str) -> End {
        let pid = child.id();
        let output = Output::of(&mut child, worker_id, self.launch.stderr_is_for_errors, &self.records, &self.streams);
        let client = self.client.clone();
        let mut readiness = Box::pin(timeout(self.launch.initialization_timeout, ready(&client)));
        let (mut is_asked, mut is_dead) = (true, false);
        loop {
            tokio::select! {
                exit = child.wait(), if !is_dead => {
                    // From now on another process may have its id.
                    self.process.send_replace(None);
                    let code = exit.as_ref().ok().and_then(ExitStatus::code);
                    match self.policy.exited(code, Instant::now()) {
                        Next::LeaveDead => {
                            self.log(Level::Debug, "The worker process exited with code 0".to_owned());
                            is_dead = true;
                        }
                        Next::Restart if code == Some(200) => return End::Restart,
                        next => {
                            let exit = exit.map_or_else(|error| error.to_string(), |exit| exit.to_string());
                            let errors = output.end().await;
                            let pid = pid.unwrap_or_default();
                            let message = format!("Language Worker Process exited. Pid={pid}. {exit}. {errors}");
                            self.log(Level::Error, message);
                            return self.after(next);
                        }
                    }
                }
                outcome = &mut readiness, if is_asked => {
                    is_asked = false;
                    if outcome.is_ok() {
                        self.state.send_replace(State::Initialized);
                    } else {
                        self.log(Level::Error, "The worker process was not ready in time".to_owned());
                        _ = child.kill().await;
                        let next = self.policy.failed(Instant::now());
                        return self.after(next);
                    }
                }
                order = self.orders.recv() => {
                    let order = order.unwrap_or_else(|| Order::Stop("it was dropped".to_owned(), oneshot::channel().0));
                    if matches!(order, Order::Stop(..)) {
                        self.interrupt(&mut child).await;
                    }
                    _ = child.kill().await;
                    output.end().await;
                    return End::Ordered(order);
                }
            }
        }
    }

    /// What `func start` does before it kills; the host itself does nothing.
    async fn interrupt(&self, child: &mut Child) {
        if let (ShutdownMode::CoreTools, Some(leader)) = (self.launch.shutdown, child.id())
            && processes::signal(leader, Signal::INT)
            && let Ok(Ok(exit)) = timeout(CORE_TOOLS_GRACE, child.wait()).await
        {
            self.log(Level::Debug, format!("The worker process ended after an interrupt: {exit}"));
        }
    }

    fn after(&self, next: Next) -> End {
        if next == Next::ShutDown {
            let reason = "Exceeded http worker restart retry count. Shutting down Functions Host";
            self.log(Level::Error, reason.to_owned());
            return End::ShutDown(reason.to_owned());
        }
        End::Restart
    }

    fn log(&self, level: Level, message: String) {
        self.records.add(level, WORKER, message);
    }
}

/// Why a process is no longer watched.
enum End {
    Restart,
    ShutDown(String),
    Ordered(Order),
}

/// Whether there is such a program; Windows adds the extension by itself.
fn is_there(program: &Path) -> bool {
    program.is_file() || (cfg!(windows) && program.with_extension("exe").is_file())
}

/// The handler's end of a stream: a pipe, except for a full disk.
fn end_of(reading: Reading) -> io::Result<Stdio> {
    Ok(match reading {
        Reading::DiskFull if cfg!(windows) => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no disk that is always full"));
        }
        Reading::DiskFull => OpenOptions::new().write(true).open("/dev/full")?.into(),
        Reading::Reads | Reading::Stalls | Reading::Closes => Stdio::piped(),
    })
}

async fn ready(client: &HandlerClient) {
    while !client.is_ready().await {
        sleep(READINESS_INTERVAL).await;
    }
}
