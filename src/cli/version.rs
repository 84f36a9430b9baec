//! What the programs say of their version.

use std::sync::LazyLock;

use grpcio_streams::CORE_VERSION;

/// The version of a program, and of the C core that it was built with.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let ours = env!("CARGO_PKG_VERSION");
    format!("{ours}, on gRPC's C core {CORE_VERSION}")
});
