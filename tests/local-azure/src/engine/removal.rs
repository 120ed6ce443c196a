//! The end of a group's run: its containers and volumes are removed.

use std::sync::Arc;

use bollard::errors::Error;
use tokio::spawn;
use tokio::sync::Mutex;
use tracing::warn;
use uuid::Uuid;

use super::owner::LABEL_GROUP;
use super::{Inner, Making};

/// Everything that one run of a group created; dropping this removes it.
pub(super) struct Removal {
    inner: Arc<Inner>,
    group: String,
    run: String,
    making: Making,
}

impl Removal {
    pub(super) fn new(inner: Arc<Inner>, group: &str) -> Self {
        Self {
            inner,
            group: group.to_owned(),
            run: Uuid::new_v4().simple().to_string(),
            making: Arc::new(Mutex::new(())),
        }
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// The unique name of this run.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// Creates something for this run. If the run ends meanwhile, the request is still completed before anything is removed:
    /// otherwise what it creates would stay.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let making = Arc::clone(&self.making).lock_owned().await;
        let open = Arc::clone(&self.inner.open).read_owned().await;
        if !*open {
            return std::future::pending().await;
        }
        let made = spawn(async move {
            let made = request.await;
            drop((making, open));
            made
        });
        made.await.unwrap_or(Err(Error::RequestTimeoutError))
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        // Without a runtime this process ends; closing the engine, or the next start, removes it all.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (inner, making) = (Arc::clone(&self.inner), Arc::clone(&self.making));
        let label = format!("{LABEL_GROUP}={}", self.run);
        runtime.spawn(async move {
            let _all_is_made = making.lock().await;
            if let Err(error) = inner.remove_all(&label).await {
                warn!(%error, "a group's containers could not be removed; closing the engine tries it again");
            }
        });
    }
}
