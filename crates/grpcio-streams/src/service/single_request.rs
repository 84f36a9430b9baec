//! The request of a method that takes exactly one.

use std::time::Duration;

use futures::future::{self, Either};
use futures::TryStreamExt;
use futures_timer::Delay;
use protobuf::Message;

use crate::requests::Requests;
use crate::status::Status;

/// Waits until the single request of a call has arrived and the client has half-closed.
pub(super) async fn single_request<T: Message>(
    mut requests: Requests<T>,
    limit: Duration,
) -> Result<T, Status> {
    let exactly_one = async {
        let violation = |sent| {
            Err(Status::unimplemented(format!(
                "this method takes exactly one request, and the client sent {sent}"
            )))
        };
        let Some(request) = requests.try_next().await? else {
            return violation("none");
        };
        match requests.try_next().await? {
            Some(_) => violation("more"),
            None => Ok(request),
        }
    };
    futures::pin_mut!(exactly_one);
    match future::select(exactly_one, Delay::new(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(Status::deadline_exceeded(format!(
            "the request was not complete within {limit:?}"
        ))),
    }
}
