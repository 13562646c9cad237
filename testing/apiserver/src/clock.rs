//! The time of the server, in the format of the API.

/// The present time, as in `creationTimestamp`.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
