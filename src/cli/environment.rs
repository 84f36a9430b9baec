//! Environment variables.

use std::env;

/// The value of an environment variable. None if it is not set, or is empty. Bytes that are not
/// UTF-8 become U+FFFD.
pub(super) fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}
