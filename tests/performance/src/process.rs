//! The scaler's process.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use local_azure::functions_host::variants::variants;
use local_azure::functions_host::{HandlerClient, Outcome};
use local_azure::local::LocalAzure;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::Result;

/// How often a starting process is asked whether it is ready: far more often than the required precision.
const POLL: Duration = Duration::from_micros(200);

/// A scaler that serves.
pub struct Process {
    child: Child,
    client: HandlerClient,
    /// From just before the start to the first answer.
    pub ready_after: Duration,
}

impl Process {
    /// Starts a scaler on this Azure with these additional settings, and waits until it answers.
    pub async fn start(scaler: &Path, azure: &LocalAzure, settings: &[(&str, String)]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut environment: BTreeMap<String, String> = azure.scaler_environment();
        environment.insert("SCALE_EVERY_SECONDS".to_owned(), "0".to_owned());
        environment.insert("FUNCTIONS_CUSTOMHANDLER_PORT".to_owned(), port.to_string());
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
        let client = HandlerClient::new(port)?;

        let start = Instant::now();
        let mut child = Command::new(scaler)
            .current_dir(std::env::temp_dir())
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        while http.get(format!("http://127.0.0.1:{port}/")).send().await.is_err() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("the scaler ended with {status}").into());
            }
            sleep(POLL).await;
        }
        Ok(Self { child, client, ready_after: start.elapsed() })
    }

    /// Invokes a pass and returns its report.
    pub async fn pass(&self) -> Result<Value> {
        let (_, invocation) = variants().into_iter().next().ok_or("there is no invocation")?;
        match self.client.invoke(&invocation, None).await {
            Outcome::Succeeded { return_value, .. } => Ok(return_value),
            other => Err(format!("the pass came to {other:?}").into()),
        }
    }

    /// The CPU time it has used so far.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(&self.id()?.to_string())
    }

    /// A line of its `/proc/PID/status`, such as `VmHWM`, in KiB.
    pub fn memory_kib(&self, line: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let value =
            status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB"));
        Ok(value.ok_or("the line is not there")?.parse()?)
    }

    fn id(&self) -> Result<u32> {
        Ok(self.child.id().ok_or("the scaler has ended")?)
    }
}

/// The CPU time of all threads of a process, to the nanosecond. Ended threads do not count, but none that works on a pass ends.
pub fn cpu(process: &str) -> Result<Duration> {
    let mut nanos = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}
