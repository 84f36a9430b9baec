//! Calls all four kinds of method.
//!
//! The futures and streams of this module can be polled on any thread, without a runtime. They are
//! fastest inside [`run()`], on the thread of the client's completion queue. On another thread, each
//! message has to wake that thread: a call of 16-byte messages was about 20 times slower so (two
//! cores, Linux).
//!
//! # Retries of the C core
//!
//! Build channels with `enable_retry(false)`. Otherwise the C core begins a call again by itself when the
//! call has not reached the server, because its connection ended. That has two faults:
//!
//! - A message that is sent while the core repeats the earlier ones may count as sent and never be sent. The
//!   server receives the messages around it (`AddClosuresForCompletedPendingBatch` in the sources of
//!   1.56.2 and 1.85.3).
//! - When the core then cannot connect, the call may never end (seen on 1.85.3).
//!
//! Without retries such a call ends with UNAVAILABLE.

mod conversation;
mod options;
mod responses;
mod run;
mod send;

use futures::future::{self, Either};
use futures::TryStream;
use grpcio::{Client, ClientDuplexSender};
use protobuf::Message;

use crate::codec::{method, protobuf, unparsed};
use crate::status::Status;

pub use conversation::Conversation;
pub use options::Options;
pub use responses::Responses;
use responses::{single_response, Receiver};
pub use run::run;
use send::send;

/// Calls a unary method: sends the request and waits for the response.
///
/// Dropping the future cancels the call. The server may have acted on the request by then.
///
/// # Errors
///
/// The status of the call. An OK with no response or with more than one is UNIMPLEMENTED, as gRPC's
/// [table of statuses](https://grpc.github.io/grpc/core/md_doc_statuscodes.html) requires.
pub async fn unary<Req, Resp>(
    client: &Client,
    path: &'static str,
    request: &Req,
    options: impl Into<Options>,
) -> Result<Resp, Status>
where
    Req: Message,
    Resp: Message,
{
    let mut responses = server_streaming(client, path, request, options)?;
    single_response(&mut responses).await
}

/// Calls a server-streaming method: one request, a stream of responses.
///
/// # Errors
///
/// When the call cannot be started: INTERNAL for a request that is too long to be encoded,
/// UNAVAILABLE for a channel that is shut down. All other errors come through the stream.
pub fn server_streaming<Req: Message, Resp: Message>(
    client: &Client,
    path: &'static str,
    request: &Req,
    options: impl Into<Options>,
) -> Result<Responses<Resp>, Status> {
    let method = method(path, protobuf(), unparsed());
    let options = options.into();
    let bounds = options.bounds()?;
    let receiver = client.server_streaming(&method, request, options.call)?;
    Ok(Responses::new(client, Receiver::Single(receiver), bounds))
}

/// Calls a client-streaming method: sends all `requests` and waits for the one response.
///
/// The call ends early if the server answers early. It is cancelled if `requests` fails or if the
/// future is dropped. The server may have acted on the requests that were sent before.
///
/// # Errors
///
/// The error of `requests`, or the status of the call. An OK with no response or with more than one
/// is UNIMPLEMENTED, as in [`unary`].
pub async fn client_streaming<Req, Resp, S>(
    client: &Client,
    path: &'static str,
    requests: S,
    options: impl Into<Options>,
) -> Result<Resp, S::Error>
where
    Req: Message,
    Resp: Message,
    S: TryStream<Ok = Req>,
    S::Error: From<Status>,
{
    // The call is bidirectional for the binding, because the binding's client-streaming receiver
    // panics when a server ends the call with OK and without a response.
    let (mut sink, mut responses) = start(client, path, options.into())?;
    let response = single_response(&mut responses);
    let sending = send(&mut sink, requests);
    futures::pin_mut!(response, sending);
    match future::select(response, sending).await {
        Either::Left((response, _)) => Ok(response?),
        Either::Right((Ok(()), response)) => Ok(response.await?),
        Either::Right((Err(e), _)) => Err(e),
    }
}

/// Calls a bidirectional method: sends `requests` while the responses are read.
///
/// The returned stream does both, so requests are sent only while it is polled. The call is
/// half-closed at the end of `requests`.
///
/// # Errors
///
/// When the call cannot be started: UNAVAILABLE for a channel that is shut down. All other errors,
/// including the error of `requests`, come through the stream and end it.
pub fn duplex<Req, Resp, S>(
    client: &Client,
    path: &'static str,
    requests: S,
    options: impl Into<Options>,
) -> Result<Conversation<Resp, S::Error>, Status>
where
    Req: Message,
    Resp: Message,
    S: TryStream<Ok = Req> + Send + 'static,
    S::Error: From<Status> + Send,
{
    let (mut sink, responses) = start(client, path, options.into())?;
    let sending = async move { send(&mut sink, requests).await };
    Ok(Conversation::new(responses, sending))
}

/// Starts a bidirectional call.
fn start<Req: Message, Resp: Message>(
    client: &Client,
    path: &'static str,
    options: Options,
) -> Result<(ClientDuplexSender<Req>, Responses<Resp>), Status> {
    let method = method(path, protobuf(), unparsed());
    let bounds = options.bounds()?;
    let (sink, receiver) = client.duplex_streaming(&method, options.call)?;
    let responses = Responses::new(client, Receiver::Duplex(receiver), bounds);
    Ok((sink, responses))
}
