//! The rights on topics that a call needs.

use grpcio_serve::{Need, Rights};
use grpcio_streams::{Call, Status};
use topic_log::Name;

use crate::protocol::{Method, Request};

const READ: &str = "read";
const WRITE: &str = "write";

/// GetStream needs the right to read its topic, PutStream to write to it, AllStream both.
pub(super) struct TopicRights;

impl Rights for TopicRights {
    fn actions(&self) -> &[&'static str] {
        &[READ, WRITE]
    }

    fn resource(&self) -> &'static str {
        "topic"
    }

    fn resource_names(&self) -> &'static str {
        "1 to 255 of A-Z a-z 0-9 . _ / -"
    }

    fn is_resource(&self, name: &str) -> bool {
        Name::new(name).is_ok()
    }

    fn needed(&self, call: &Call) -> Result<Option<Need>, Status> {
        let Some(method) = Method::of_path(call.method()) else {
            return Ok(None);
        };
        let request = Request::decode(call.metadata(), method)?;
        Ok(request.map(|request| Need {
            actions: actions(method),
            resource: request.topic.to_string(),
        }))
    }
}

fn actions(method: Method) -> Vec<&'static str> {
    let all = [(READ, method.reads()), (WRITE, method.writes())];
    let needed = all.into_iter().filter(|(_, needed)| *needed);
    needed.map(|(action, _)| action).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_needs_what_it_does() {
        for (method, needed) in [
            (Method::Get, &["read"][..]),
            (Method::Put, &["write"]),
            (Method::All, &["read", "write"]),
        ] {
            assert_eq!(actions(method), needed);
        }
    }
}
