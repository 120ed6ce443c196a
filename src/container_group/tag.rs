//! The tags of a group: all that the scaler remembers of it. Azure compares their keys without regard to case.

/// The prefix of the scaler that made the group.
pub const MANAGED_BY: &str = "managed_by";
/// The message's id.
pub const MESSAGE_ID: &str = "message_id";
/// The message's file size, in MiB.
pub const FILE_SIZE_MB: &str = "file_size_mb";
/// The message's subscription.
pub const SUBSCRIPTION_NAME: &str = "subscription_name";
/// The message's sequence number in its subscription.
pub const SEQUENCE_NUMBER: &str = "sequence_number";
/// Which attempt at the message this is, from 1.
pub const ATTEMPT: &str = "attempt";
/// `true` when an operator wants the group to stay.
pub const KEEP: &str = "keep";
/// Since when a group has been seen that does not run yet (RFC 3339).
pub const WAITING_SINCE: &str = "waiting_since";
/// Since when a group has been seen that ended without Azure saying when (RFC 3339).
pub const ENDED_SINCE: &str = "ended_since";
/// Since when a group has been seen running whose message is gone (RFC 3339).
pub const ORPHANED_SINCE: &str = "orphaned_since";
