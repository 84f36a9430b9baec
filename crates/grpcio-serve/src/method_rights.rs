//! Rights to call methods.

use grpcio_streams::{Call, Status};

use crate::rights::{Need, Rights};

const CALL: &str = "call";

/// Rights to call methods, for a service that needs no rights on resources of its own.
///
/// In the token file, `call:example.Counter/CountTo` is the right to one method,
/// `call:example.Counter/*` the right to all methods of a service, and `call:*` the right to all
/// methods of all services that use `MethodRights`.
#[derive(Clone, Copy, Debug)]
pub struct MethodRights;

impl Rights for MethodRights {
    fn actions(&self) -> &[&'static str] {
        &[CALL]
    }

    fn resource(&self) -> &'static str {
        "method"
    }

    fn resource_names(&self) -> &'static str {
        "a path without its first slash, such as example.Counter/CountTo"
    }

    fn is_resource(&self, name: &str) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_./".contains(c);
        !name.is_empty() && !name.starts_with('/') && name.chars().all(is_part)
    }

    fn needed(&self, call: &Call) -> Result<Option<Need>, Status> {
        Ok(Some(Need {
            actions: vec![CALL],
            resource: call.method().trim_start_matches('/').to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_a_path_without_its_first_slash() {
        for good in [
            "example.Counter/CountTo",
            "Greeter/GetStream",
            "example.",
            "a_1.B/",
        ] {
            assert!(MethodRights.is_resource(good), "{good}");
        }
        for bad in ["", "/example.Counter/CountTo", "a b", "a-b", "ä", "a:b"] {
            assert!(!MethodRights.is_resource(bad), "{bad}");
        }
    }
}
