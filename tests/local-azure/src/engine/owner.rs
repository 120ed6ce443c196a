//! Which process containers belong to: labels, and a lock that the system releases when the process ends, however it ends.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The process that a container or volume belongs to.
pub(super) const LABEL_OWNER: &str = "aci-scaler.local-azure.owner";
/// The file that this process holds a lock on.
const LABEL_LOCK: &str = "aci-scaler.local-azure.lock";
/// The run of a group that it belongs to.
pub(super) const LABEL_GROUP: &str = "aci-scaler.local-azure.run";

/// This process, as long as it lives.
#[derive(Debug)]
pub(super) struct Owner {
    id: String,
    path: PathBuf,
    _lock: File,
}

impl Owner {
    pub(super) fn new() -> io::Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    fn within(folder: &Path) -> io::Result<Self> {
        let id = Uuid::new_v4().simple().to_string();
        let path = folder.join(format!("aci-scaler-local-azure-{id}.lock"));
        let lock = File::create_new(&path)?;
        lock.lock()?;
        Ok(Self { id, path, _lock: lock })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn labels(&self) -> HashMap<String, String> {
        let path = self.path.to_string_lossy().into_owned();
        HashMap::from([(LABEL_OWNER.to_owned(), self.id.clone()), (LABEL_LOCK.to_owned(), path)])
    }

    /// Whether the process has ended. If its lock cannot be read, because it is another user's, it counts as alive.
    pub(super) fn is_gone(&self, left: &Left) -> bool {
        if left.id == self.id {
            return false;
        }
        match OpenOptions::new().write(true).open(&left.lock) {
            Ok(file) => !matches!(file.try_lock(), Err(TryLockError::WouldBlock | TryLockError::Error(_))),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Without the file this process counts as gone, which is right.
        _ = fs::remove_file(&self.path);
    }
}

/// A process that left something at the engine, or still uses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Left {
    pub(super) id: String,
    lock: PathBuf,
}

impl Left {
    /// The processes that labels name, each once.
    pub(super) fn of(labels: impl Iterator<Item = HashMap<String, String>>) -> Vec<Self> {
        let named = labels.filter_map(|mut labels| Some((labels.remove(LABEL_OWNER)?, labels.remove(LABEL_LOCK)?)));
        let named: BTreeMap<_, _> = named.collect();
        named.into_iter().map(|(id, lock)| Self { id, lock: lock.into() }).collect()
    }

    /// Removes its lock.
    pub(super) fn forget(&self) {
        _ = fs::remove_file(&self.lock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_once_its_lock_is_free_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Owner::within(folder.path()).unwrap(), Owner::within(folder.path()).unwrap());
        let left = Left::of([other.labels(), other.labels()].into_iter());
        assert_eq!(left.len(), 1);
        assert!(!one.is_gone(&left[0]), "it lives");
        // As after kill -9: the system has released the lock, and the file is still there.
        let killed = folder.path().join("killed");
        fs::copy(&other.path, &killed).unwrap();
        assert!(one.is_gone(&Left { id: "killed".to_owned(), lock: killed }));
        drop(other);
        assert!(one.is_gone(&left[0]), "its file is gone");
        let own = Left::of([one.labels()].into_iter());
        assert!(!one.is_gone(&own[0]), "nobody is gone to itself");
    }

    #[test]
    fn labels_that_are_not_all_there_name_nobody() {
        let labels = HashMap::from([(LABEL_OWNER.to_owned(), "x".to_owned())]);
        assert_eq!(Left::of([labels].into_iter()), []);
    }
}
