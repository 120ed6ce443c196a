//! The tags of a group: all that the scaler remembers of it. Azure compares their keys without regard to case.

/// The prefix of the scaler that created the group. Nobody else has a use for this tag.
pub const ACI_SCALER: &str = "aci_scaler";
/// The same prefix, for those who look for their groups by this tag. Policies may rewrite it.
pub const MANAGED_BY: &str = "managed_by";
/// The message's id.
pub const MESSAGE_ID: &str = "message_id";
/// The message's file size, in MiB.
pub const FILE_SIZE_MB: &str = "file_size_mb";
/// The message's subscription.
pub const SUBSCRIPTION_NAME: &str = "subscription_name";
/// The message's sequence number in its subscription.
pub const SEQUENCE_NUMBER: &str = "sequence_number";
/// Which attempt at the message this is, from 1, since its count was last started again.
pub const ATTEMPT: &str = "attempt";
/// How many attempts there were before its count was last started again. The number in the group's name counts these too.
pub const ATTEMPTS_BEFORE: &str = "attempts_before";
/// The most memory, in GB, that an attempt before this one has run out of.
pub const RAN_OUT_OF_GB: &str = "ran_out_of_gb";
/// `true` when an operator wants the group to stay.
pub const KEEP: &str = "keep";
/// `true` when an operator wants the count of attempts at the message to start again.
pub const RETRY: &str = "retry";
/// Since when a group has been seen that does not run yet (RFC 3339).
pub const WAITING_SINCE: &str = "waiting_since";
/// Since when a group has been seen that ended without Azure saying when (RFC 3339).
pub const ENDED_SINCE: &str = "ended_since";
/// Since when a group has been seen running whose message is gone (RFC 3339).
pub const ORPHANED_SINCE: &str = "orphaned_since";

/// The tags that are the scaler's to set, or that mean something to it.
const RESERVED: [&str; 14] = [
    ACI_SCALER,
    MANAGED_BY,
    MESSAGE_ID,
    FILE_SIZE_MB,
    SUBSCRIPTION_NAME,
    SEQUENCE_NUMBER,
    ATTEMPT,
    ATTEMPTS_BEFORE,
    RAN_OUT_OF_GB,
    KEEP,
    RETRY,
    WAITING_SINCE,
    ENDED_SINCE,
    ORPHANED_SINCE,
];

/// Most tags of a user's on every group: Azure takes 50 of a resource.
pub(crate) const MAX_OTHERS: usize = 50 - RESERVED.len();

pub(crate) fn is_reserved(key: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(key))
}

/// Why Azure would not take a tag, if it would not.
///
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources>.
pub(crate) fn refusal(key: &str, value: &str) -> Option<&'static str> {
    if key.is_empty() || key.chars().count() > 512 || key.contains(['<', '>', '%', '&', '\\', '?', '/']) {
        return Some("a tag's name has 1 to 512 characters, none of them <>%&\\?/");
    }
    (value.chars().count() > 256).then_some("a tag's value has at most 256 characters")
}
