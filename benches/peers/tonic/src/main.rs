//! Measuring gear: the same minimal hub on what a user would pick instead, tonic.
//!
//! The three calls of Greeter on topics, as anyone who knows tonic would write them first, but
//! well: in memory, the last 100,000 messages of a topic, no producers, no limits, no drain.
//! `src/greeter.rs` is what tonic-prost-build 0.14.9 makes of `proto/greeter.proto` with
//! `build_client(false)` and `build_transport(false)`; building needs no protoc.
//!
//!     CARGO_TARGET_DIR=$HOME/.cache/greeter-stream/peers/tonic cargo build --release
//!     $HOME/.cache/greeter-stream/peers/tonic/release/tonic-peer --listen 127.0.0.1:0
//!
//! Its first line says `listening on HOST:PORT`.

#[rustfmt::skip]
mod greeter;
mod topic;

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use clap::Parser;
use futures_util::stream::{self, BoxStream, TryReadyChunks, TryReadyChunksError};
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde_json::json;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::Server;
use tonic::{async_trait, Extensions, Request, Response, Status, Streaming};

use greeter::greeter_server::{Greeter, GreeterServer};
use greeter::{StreamReqData, StreamResData};
use topic::{Cursor, Stop, Topic, BATCH};

/// The Greeter hub on tonic, to measure against.
#[derive(Parser)]
struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let incoming = TcpIncoming::bind(args.listen)?.with_nodelay(Some(true));
    println!("listening on {}", incoming.local_addr()?);
    Server::builder()
        .add_service(GreeterServer::new(Hub::new()))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

struct Hub {
    epoch: String,
    topics: Mutex<HashMap<String, Arc<Topic>>>,
}

type Messages = BoxStream<'static, Result<StreamResData, Status>>;

#[async_trait]
impl Greeter for Hub {
    type GetStreamStream = Messages;
    type AllStreamStream = Messages;

    async fn get_stream(
        &self,
        request: Request<StreamReqData>,
    ) -> Result<Response<Messages>, Status> {
        let stop = match metadata(&request, "follow")? {
            None | Some("true") => Stop::Never,
            Some("false") => Stop::CaughtUp,
            Some(_) => return Err(Status::invalid_argument("follow is not true or false")),
        };
        let cursor = self.subscribe(&request, stop)?;
        Ok(respond(
            position(&cursor),
            stream::try_unfold(cursor, follow),
        ))
    }

    async fn put_stream(
        &self,
        request: Request<Streaming<StreamReqData>>,
    ) -> Result<Response<StreamResData>, Status> {
        let topic = self.topic(&request)?;
        let mut requests = request.into_inner().try_ready_chunks(BATCH);
        let (mut first, mut last, mut accepted) = (None, None, 0);
        while let Some(chunk) = requests.next().await {
            let offsets = append(&topic, chunk)?;
            first.get_or_insert(offsets.start);
            last = Some(offsets.end - 1);
            accepted += offsets.end - offsets.start;
        }
        let receipt = json!({
            "topic": topic.name,
            "epoch": topic.epoch,
            "first": first,
            "last": last,
            "accepted": accepted,
            "duplicates": 0,
        });
        Ok(Response::new(StreamResData {
            data: receipt.to_string(),
        }))
    }

    async fn all_stream(
        &self,
        request: Request<Streaming<StreamReqData>>,
    ) -> Result<Response<Messages>, Status> {
        let cursor = self.subscribe(&request, Stop::Never)?;
        let requests = request.into_inner().try_ready_chunks(BATCH);
        Ok(respond(
            position(&cursor),
            stream::try_unfold((cursor, requests), converse),
        ))
    }
}

type Requests = TryReadyChunks<Streaming<StreamReqData>>;
type Chunk = Result<Vec<StreamReqData>, TryReadyChunksError<StreamReqData, Status>>;
/// What to send, and whatever comes after it; None at the end.
type Step<T> = Result<Option<(Vec<Arc<str>>, T)>, Status>;

async fn follow(mut cursor: Cursor) -> Step<Cursor> {
    Ok(cursor.batch().await?.map(|batch| (batch, cursor)))
}

/// Appends what comes until there is something to send. What is there when the client
/// half-closes is the end of the conversation.
async fn converse((mut cursor, mut requests): (Cursor, Requests)) -> Step<(Cursor, Requests)> {
    loop {
        tokio::select! {
            chunk = requests.next(), if matches!(cursor.stop, Stop::Never) => match chunk {
                Some(chunk) => {
                    append(&cursor.topic, chunk)?;
                }
                None => cursor.stop = Stop::At(cursor.topic.next()),
            },
            batch = cursor.batch() => {
                return Ok(batch?.map(|batch| (batch, (cursor, requests))));
            }
        }
    }
}

/// Appends what a chunk holds, also when the upload failed behind it.
fn append(topic: &Topic, chunk: Chunk) -> Result<Range<u64>, Status> {
    let (messages, failure) = match chunk {
        Ok(messages) => (messages, None),
        Err(TryReadyChunksError(messages, status)) => (messages, Some(status)),
    };
    let offsets = topic.append(messages.into_iter().map(|message| message.data.into()));
    failure.map_or(Ok(offsets), Err)
}

/// The response metadata: where the first message is.
fn position(cursor: &Cursor) -> MetadataMap {
    let epoch = cursor.topic.epoch.parse().expect("a hex number");
    let mut metadata = MetadataMap::new();
    metadata.insert("epoch", epoch);
    metadata.insert("offset", cursor.offset.into());
    metadata
}

fn respond(
    metadata: MetadataMap,
    batches: impl Stream<Item = Result<Vec<Arc<str>>, Status>> + Send + 'static,
) -> Response<Messages> {
    let message = |data: Arc<str>| {
        let data = data.to_string();
        Ok(StreamResData { data })
    };
    let messages = batches
        .map_ok(move |batch| stream::iter(batch.into_iter().map(message)))
        .try_flatten();
    Response::from_parts(metadata, messages.boxed(), Extensions::default())
}

impl Hub {
    fn new() -> Self {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            epoch: format!("{:016x}", now.as_nanos() as u64),
            topics: Mutex::default(),
        }
    }

    fn topic<T>(&self, request: &Request<T>) -> Result<Arc<Topic>, Status> {
        let name = metadata(request, "topic")?
            .ok_or_else(|| Status::invalid_argument("the metadata topic is missing"))?;
        let mut topics = self.topics.lock().unwrap();
        if let Some(topic) = topics.get(name) {
            return Ok(topic.clone());
        }
        let topic = Arc::new(Topic::new(name, &self.epoch));
        topics.insert(name.to_owned(), topic.clone());
        Ok(topic)
    }

    fn subscribe<T>(&self, request: &Request<T>, stop: Stop) -> Result<Cursor, Status> {
        let from = metadata(request, "from")?.unwrap_or("latest");
        let epoch = metadata(request, "epoch")?;
        self.topic(request)?.subscribe(from, epoch, stop)
    }
}

fn metadata<'a, T>(request: &'a Request<T>, key: &str) -> Result<Option<&'a str>, Status> {
    let value = request.metadata().get(key).map(|value| value.to_str());
    value
        .transpose()
        .map_err(|_| Status::invalid_argument(format!("the metadata {key} is not ASCII")))
}
