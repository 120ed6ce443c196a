//! The workers' identity.

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::azure::arm::Arm;
use crate::azure::bad_answer::BadAnswer;
use crate::services::ArmError;

const API_VERSION: &str = "2023-01-31";

/// Its client id, once known. It never changes, so it is requested once.
#[derive(Debug, Default)]
pub(super) struct WorkersIdentity(OnceCell<String>);

impl WorkersIdentity {
    /// The client id of the identity with this resource id, if any.
    pub(super) async fn client_id(&self, arm: &Arm, id: Option<&str>) -> Result<Option<&str>, ArmError> {
        let Some(id) = id else { return Ok(None) };
        let ask = || async {
            let path: Vec<_> = id.split('/').filter(|segment| !segment.is_empty()).collect();
            let identity = arm.read(&path, API_VERSION).await?;
            let client_id = identity.pointer("/properties/clientId").and_then(Value::as_str);
            client_id.map(str::to_owned).ok_or_else(|| ArmError::from(BadAnswer::NoClientId))
        };
        self.0.get_or_try_init(ask).await.map(|client_id| Some(client_id.as_str()))
    }
}
