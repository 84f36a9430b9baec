//! Limits of the calls that run at a time, in all and on each connection.
//!
//! The C core announces how many streams a connection may have, but it accepts more from a client
//! that does not acknowledge the announcement. A call counts from the arrival of its headers until
//! its resources are released.

use std::collections::HashMap;
use std::sync::Arc;

use grpcio::RpcStatusCode;
use grpcio_streams::{Call, Status};
use parking_lot::Mutex;

/// Counts the running calls and refuses those beyond the limits.
#[derive(Debug)]
pub(crate) struct CallLimits {
    max_calls: usize,
    max_calls_per_connection: usize,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    all: usize,
    /// The running calls of each connection. The key is the client's address, which is unique to a
    /// connection.
    connections: HashMap<Arc<str>, usize>,
}

/// A call that is counted until this is dropped.
struct Counted {
    limits: Arc<CallLimits>,
    connection: Arc<str>,
}

impl CallLimits {
    pub(crate) fn new(max_calls: usize, max_calls_per_connection: u32) -> Arc<Self> {
        Arc::new(Self {
            max_calls,
            max_calls_per_connection: usize::try_from(max_calls_per_connection)
                .unwrap_or(usize::MAX),
            running: Mutex::default(),
        })
    }

    /// Counts the call until it is released, or refuses it with RESOURCE_EXHAUSTED.
    pub(crate) fn admit(self: &Arc<Self>, call: &mut Call) -> Result<(), Status> {
        let connection = self.enter(call.peer())?;
        call.keep(Counted {
            limits: self.clone(),
            connection,
        });
        Ok(())
    }

    fn enter(&self, peer: &str) -> Result<Arc<str>, Status> {
        let refused = |why| Err(Status::new(RpcStatusCode::RESOURCE_EXHAUSTED, why));
        let mut running = self.running.lock();
        if running.all >= self.max_calls {
            return refused(format!(
                "this server runs at most {} of these calls at a time; try again, or try another \
                 server",
                self.max_calls
            ));
        }
        let known = running.connections.get_key_value(peer);
        let (connection, count) =
            known.map_or_else(|| (peer.into(), 0), |(peer, count)| (peer.clone(), *count));
        if count >= self.max_calls_per_connection {
            return refused(format!(
                "this server runs at most {} calls of a connection at a time; use another \
                 connection",
                self.max_calls_per_connection
            ));
        }
        running.connections.insert(connection.clone(), count + 1);
        running.all += 1;
        Ok(connection)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut running = self.limits.running.lock();
        running.all -= 1;
        if let Some(count) = running.connections.get_mut(&self.connection) {
            *count -= 1;
            if *count == 0 {
                running.connections.remove(&self.connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_end_make_room() {
        let limits = CallLimits::new(3, 2);
        let enter = |peer: &str| {
            let connection = limits.enter(peer).map_err(|status| {
                assert_eq!(status.code(), RpcStatusCode::RESOURCE_EXHAUSTED);
                status.message().to_owned()
            })?;
            let limits = limits.clone();
            Ok::<_, String>(Counted { limits, connection })
        };
        let refused = |peer: &str| enter(peer).err().unwrap_or_default();
        let a = [enter("a").unwrap(), enter("a").unwrap()];
        assert!(refused("a").contains("2 calls of a connection"));
        let b = enter("b").unwrap();
        assert!(refused("c").contains("3 of these calls at a time"));
        drop(a);
        let c = [enter("c").unwrap(), enter("c").unwrap()];
        assert!(refused("a").contains("3 of these calls at a time"));
        drop((b, c));
        assert_eq!(limits.running.lock().all, 0);
        assert!(limits.running.lock().connections.is_empty());
    }
}
