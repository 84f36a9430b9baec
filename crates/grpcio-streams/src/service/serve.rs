//! Serves one call, from its headers to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{future, stream, FutureExt, Sink, SinkExt, Stream, StreamExt};
use grpcio::{DuplexSink, MessageReader, RequestStream, WriteFlags};

use super::options::Options;
use crate::call::Call;
use crate::catch_panic::CatchPanic;
use crate::forward::{Forward, Forwarded};
use crate::observer::Outcome;
use crate::requests::Requests;
use crate::status::Status;

/// Calls the handler, sends its responses and ends the call with its status.
pub(super) async fn serve<Req, Resp, H, S>(
    mut call: Call,
    requests: RequestStream<MessageReader>,
    sink: DuplexSink<Resp>,
    handler: Arc<H>,
    options: Arc<Options>,
) where
    H: Fn(Arc<Call>, Requests<Req>) -> S,
    S: Stream<Item = Result<Resp, Status>>,
{
    let _running = options.draining.running();
    let admitted = options.admit(&mut call);
    let call = Arc::new(call);
    options.report_start(&call);
    let (requests, received) = Requests::new(requests, options.max_message_bytes);
    // The handler is called inside its stream, so that its panics are caught there.
    let responses = future::lazy({
        let call = call.clone();
        move |_| match admitted {
            Ok(()) => handler(call, requests).left_stream(),
            Err(status) => stream::iter([Err(status)]).right_stream(),
        }
    });
    let responses = CatchPanic::new(call.method(), responses.flatten_stream());
    let draining = options.draining.clone();
    let mut responses = draining.end(responses, |sent| call.drain_status(sent));

    let mut outgoing = Outgoing::new(sink, call.clone());
    let (forwarded, sent) = {
        let mut forward = Forward::new(&mut outgoing, Pin::new(&mut responses)).by_turns();
        ((&mut forward).await, forward.sent())
    };
    let sink = outgoing.sink;
    // The status may have to wait for flow control. The handler is no longer needed.
    drop(responses);

    let outcome = Outcome {
        status: finish(&call, sink, forwarded).await,
        received: received.count(),
        sent,
    };
    options.report_end(&call, &outcome);
}

/// Ends the call. Returns the status that the client was sent, or why it was not sent any.
async fn finish<Resp>(
    call: &Call,
    mut sink: DuplexSink<Resp>,
    forwarded: Forwarded<Status>,
) -> Status {
    let (status, delivered) = match forwarded {
        Forwarded::All => (Status::ok(), sink.close().await.is_ok()),
        Forwarded::Failed(status) => {
            let status = status.fitted();
            (status.clone(), sink.fail(status.into()).await.is_ok())
        }
        Forwarded::CallOver => (Status::departed(), false),
    };
    if delivered {
        status
    } else if call.deadline_exceeded() {
        Status::deadline_exceeded("the client's deadline passed")
    } else {
        Status::departed()
    }
}

/// The binding's sink. It sends the response metadata together with the first message.
struct Outgoing<T> {
    sink: DuplexSink<T>,
    call: Arc<Call>,
    started: bool,
}

impl<T> Outgoing<T> {
    fn new(mut sink: DuplexSink<T>, call: Arc<Call>) -> Self {
        sink.enhance_batch(true);
        Self {
            sink,
            call,
            started: false,
        }
    }
}

impl<T> Sink<(T, WriteFlags)> for Outgoing<T> {
    type Error = grpcio::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<grpcio::Result<()>> {
        self.sink.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: (T, WriteFlags)) -> grpcio::Result<()> {
        if !self.started {
            self.started = true;
            if let Some(metadata) = self.call.take_response_metadata() {
                self.sink.set_headers(metadata);
            }
        }
        self.sink.start_send_unpin(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<grpcio::Result<()>> {
        self.sink.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<grpcio::Result<()>> {
        self.sink.poll_close_unpin(cx)
    }
}
