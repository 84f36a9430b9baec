//! Sends the requests of a call.

use futures::{SinkExt, TryStream};
use grpcio::ClientDuplexSender;

use crate::forward::{Forward, Forwarded};
use crate::status::Status;

/// Sends all requests and half-closes. If the call ends before, this is not an error: its status
/// comes with the responses. On an error the sink stays open, and cancels the call when it is
/// dropped.
pub(super) async fn send<Req, S>(
    sink: &mut ClientDuplexSender<Req>,
    requests: S,
) -> Result<(), S::Error>
where
    S: TryStream<Ok = Req>,
    S::Error: From<Status>,
{
    futures::pin_mut!(requests);
    sink.enhance_batch(true);
    match Forward::new(sink, requests).await {
        Forwarded::All => {
            let _ = sink.close().await;
            Ok(())
        }
        Forwarded::CallOver => Ok(()),
        Forwarded::Failed(e) => Err(e),
    }
}
