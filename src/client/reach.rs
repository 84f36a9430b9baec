//! Whether the servers can be reached, and why not.

use std::time::{Duration, Instant};

use grpcio::{CallOption, ConnectivityState, RpcStatusCode};
use grpcio_streams::client::unary;
use grpcio_streams::Status;
use protobuf::well_known_types::empty::Empty;

use super::calls::Client;

/// A method that every server answers, with UNIMPLEMENTED if it does not have it. Its messages are
/// read as empty ones, because only the status counts.
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// How long the client waits before it asks why it is not connected, and how long it waits for the
/// reason.
const STEP: Duration = Duration::from_secs(1);

impl Client {
    /// Connects, and waits until a server is reached. Calls `notice` about once a second, with the
    /// reason why none is reached.
    ///
    /// # Errors
    ///
    /// The reason, an UNAVAILABLE, after the [timeout](super::Config::timeout) of the configuration.
    pub async fn reach(&self, mut notice: impl FnMut(&Status)) -> Result<(), Status> {
        let begun = Instant::now();
        let mut told = None;
        loop {
            let left = match self.config().timeout {
                None => STEP,
                Some(timeout) => timeout.saturating_sub(begun.elapsed()),
            };
            let channel = self.client.channel();
            if channel.wait_for_connected(left.min(STEP)).await {
                return Ok(());
            }
            let is_over = left < STEP;
            let why = match told.take_if(|_| is_over) {
                Some(why) => Some(why),
                None => self.unreachable().await,
            };
            match why {
                None => return Ok(()),
                Some(why) if is_over => return Err(why),
                Some(why) => {
                    notice(&why);
                    told = Some(why);
                }
            }
        }
    }

    /// Why no server is reached now, as the UNAVAILABLE of a call that does not wait. None if the
    /// client is connected. Takes up to a second.
    pub async fn unreachable(&self) -> Option<Status> {
        let state = self.client.channel().check_connectivity_state(true);
        if state == ConnectivityState::GRPC_CHANNEL_READY {
            return None;
        }
        // Only a call gets to know the reason. It does not wait for a server, so it ends with the
        // reason as soon as connecting has failed.
        let options = CallOption::default().timeout(STEP);
        let asked = unary::<_, Empty>(&self.client, HEALTH, &Empty::default(), options).await;
        match asked {
            Err(status) if status.code() == RpcStatusCode::UNAVAILABLE => Some(status),
            Err(status) if status.code() == RpcStatusCode::DEADLINE_EXCEEDED => {
                Some(Status::unavailable("the server does not answer"))
            }
            _ => None,
        }
    }
}
