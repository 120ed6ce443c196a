//! The identity that workers work as.

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::azure::arm::Arm;
use crate::azure::bad_answer::BadAnswer;
use crate::services::ArmError;

const API_VERSION: &str = "2023-01-31";

/// What is known of it. Azure never gives an identity another client id, so that it is asked for once.
#[derive(Debug, Default)]
pub(super) struct WorkersIdentity(OnceCell<String>);

impl WorkersIdentity {
    /// The client id of the identity of this resource id, if there is one.
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
