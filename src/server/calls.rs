//! How many calls run, in all and on each connection.
//!
//! The C core tells clients how many streams a connection may have, and takes more from those that
//! do not acknowledge it. A call counts from its headers until nothing of it is left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grpcio::RpcStatusCode;

use grpcio_streams::{Call, Status};

/// The calls that run.
#[derive(Debug)]
pub(super) struct Calls {
    most: usize,
    /// How there can be more.
    remedy: &'static str,
    most_of_a_connection: usize,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    all: usize,
    /// By the client's address, which is another one for each connection.
    connections: HashMap<Arc<str>, usize>,
}

/// One of them, until it is dropped.
struct Counted {
    calls: Arc<Calls>,
    connection: Arc<str>,
}

impl Calls {
    pub(super) fn new(most: usize, remedy: &'static str, most_of_a_connection: u32) -> Arc<Self> {
        Arc::new(Self {
            most,
            remedy,
            most_of_a_connection: usize::try_from(most_of_a_connection).unwrap_or(usize::MAX),
            running: Mutex::default(),
        })
    }

    /// Counts the call, or refuses it.
    pub(super) fn admit(self: &Arc<Self>, call: &mut Call) -> Result<(), Status> {
        let connection = self.enter(call.peer())?;
        call.keep(Counted {
            calls: self.clone(),
            connection,
        });
        Ok(())
    }

    fn enter(&self, peer: &str) -> Result<Arc<str>, Status> {
        let mut running = self.running();
        if running.all >= self.most {
            let why = format!(
                "this server runs at most {} of these calls at a time; try again, or try another \
                 server; {}",
                self.most, self.remedy
            );
            return Err(Status::new(RpcStatusCode::RESOURCE_EXHAUSTED, why));
        }
        let known = running.connections.get_key_value(peer);
        let (connection, count) =
            known.map_or_else(|| (peer.into(), 0), |(peer, count)| (peer.clone(), *count));
        if count >= self.most_of_a_connection {
            let why = format!(
                "this server runs at most {} calls of a connection at a time; whoever runs it can \
                 allow more with --max-streams",
                self.most_of_a_connection
            );
            return Err(Status::new(RpcStatusCode::RESOURCE_EXHAUSTED, why));
        }
        running.connections.insert(connection.clone(), count + 1);
        running.all += 1;
        Ok(connection)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut running = self.calls.running();
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
    fn what_ends_is_given_back() {
        let calls = Calls::new(3, "there is --max-calls", 2);
        let enter = |peer: &str| {
            let connection = calls.enter(peer).map_err(|status| {
                assert_eq!(status.code(), RpcStatusCode::RESOURCE_EXHAUSTED);
                status.message().to_owned()
            })?;
            let calls = calls.clone();
            Ok::<_, String>(Counted { calls, connection })
        };
        let refused = |peer: &str| enter(peer).err().unwrap_or_default();
        let a = [enter("a").unwrap(), enter("a").unwrap()];
        assert!(refused("a").contains("2 calls of a connection"));
        assert!(refused("a").contains("--max-streams"));
        let b = enter("b").unwrap();
        assert!(refused("c").contains("3 of these calls at a time"));
        assert!(refused("c").ends_with("--max-calls"));
        drop(a);
        let c = [enter("c").unwrap(), enter("c").unwrap()];
        assert!(refused("a").contains("3 of these calls at a time"));
        drop((b, c));
        assert_eq!(calls.running().all, 0);
        assert!(calls.running().connections.is_empty());
    }
}
