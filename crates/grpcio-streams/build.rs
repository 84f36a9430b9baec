//! Finds out which C core this build uses, in the way in which the binding decides it.

use std::env;

/// The core that the binding carries. It is part of the version of `grpcio-sys`: 0.13.0+1.56.2.
const BUNDLED: &str = "1.56.2";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=GRPCIO_SYS_USE_PKG_CONFIG");
    let other = env::var_os("GRPCIO_SYS_USE_PKG_CONFIG").is_some_and(|value| value == "1");
    let version = if other {
        // The binding links the library, and says what is wrong if there is none.
        let found = pkg_config::Config::new()
            .cargo_metadata(false)
            .probe("grpc");
        found.map_or_else(|_| "unknown".to_owned(), |library| library.version)
    } else {
        BUNDLED.to_owned()
    };
    println!("cargo:rustc-env=GRPC_CORE_VERSION={version}");
}
