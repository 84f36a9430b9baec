//! A naive hub: the publisher wakes the subscribers, and each subscriber is a `send_all`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::executor::block_on;
use futures::{stream, FutureExt, SinkExt, TryFutureExt, TryStreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::generated::greeter_grpc::{create_greeter, Greeter};
use grpcio::{
    ClientStreamingSink, DuplexSink, RequestStream, RpcContext, ServerBuilder, ServerCredentials,
    ServerStreamingSink, WriteFlags,
};
use grpcio_streams::Queues;
use parking_lot::Mutex;

#[derive(Clone, Default)]
struct Naive(Arc<Mutex<Topic>>);

#[derive(Default)]
struct Topic {
    messages: Vec<Arc<str>>,
    waiting: Vec<Waker>,
}

impl Greeter for Naive {
    fn get_stream(
        &mut self,
        ctx: RpcContext<'_>,
        _: StreamReqData,
        mut sink: ServerStreamingSink<StreamResData>,
    ) {
        let (topic, mut next) = (self.0.clone(), 0);
        let mut messages = stream::poll_fn(move |cx| {
            let mut topic = topic.lock();
            let Some(data) = topic.messages.get(next) else {
                topic.waiting.push(cx.waker().clone());
                return Poll::Pending;
            };
            next += 1;
            let message = StreamResData {
                data: data.to_string(),
                ..Default::default()
            };
            Poll::Ready(Some(Ok((message, WriteFlags::default()))))
        });
        ctx.spawn(async move {
            // This fails when the subscriber leaves.
            let _ = sink.send_all(&mut messages).await;
        });
    }

    fn put_stream(
        &mut self,
        ctx: RpcContext<'_>,
        mut requests: RequestStream<StreamReqData>,
        sink: ClientStreamingSink<StreamResData>,
    ) {
        let topic = self.0.clone();
        let publishing = async move {
            while let Some(request) = requests.try_next().await? {
                let waiting = {
                    let mut topic = topic.lock();
                    topic.messages.push(request.data.into());
                    std::mem::take(&mut topic.waiting)
                };
                waiting.into_iter().for_each(Waker::wake);
            }
            sink.success(StreamResData::default()).await
        };
        ctx.spawn(publishing.unwrap_or_else(|e| panic!("publishing failed: {e}")));
    }

    fn all_stream(
        &mut self,
        ctx: RpcContext<'_>,
        _: RequestStream<StreamReqData>,
        mut sink: DuplexSink<StreamResData>,
    ) {
        ctx.spawn(async move { sink.close().map(drop).await });
    }
}

/// Serves on a free port, which it gives to `say`, until `until` returns.
pub fn serve(threads: usize, say: impl FnOnce(SocketAddr), until: impl FnOnce()) {
    let queues = Queues::start("naive", threads);
    let mut server = ServerBuilder::new(queues.env())
        .register_service(create_greeter(Naive::default()))
        .build()
        .expect("a server");
    let credentials = ServerCredentials::insecure();
    let port = server.add_listening_port("127.0.0.1:0", credentials);
    server.start();
    say(SocketAddr::from((
        [127, 0, 0, 1],
        port.expect("a free port"),
    )));
    until();
    let ended = server.shutdown();
    server.cancel_all_calls();
    block_on(ended).expect("the server stops");
    drop(server);
    let _ = queues.stop(Duration::from_secs(5));
}
