//! The calls of a load, with nothing around them that would cost as much as they do.

use futures::TryStream;

use crate::client::{request, Client};
use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::service::{ALL_STREAM, GET_STREAM, PUT_STREAM};
use grpcio_streams::client::{self, Conversation, Responses};
use grpcio_streams::Status;

/// GetStream from the earliest message on.
pub(super) fn get(
    client: &Client,
    topic: &str,
    follow: bool,
) -> Result<Responses<StreamResData>, Status> {
    let follow = if follow { "true" } else { "false" };
    let metadata = [("topic", topic), ("from", "earliest"), ("follow", follow)];
    let options = client.options_with(&metadata)?;
    client::server_streaming(&client.client, GET_STREAM, &request(String::new()), options)
}

/// PutStream; what it is answered.
pub(super) async fn put<S>(client: &Client, topic: &str, messages: S) -> Result<String, Status>
where
    S: TryStream<Ok = StreamReqData, Error = Status>,
{
    let options = client.options_with(&[("topic", topic)])?;
    let receipt: StreamResData =
        client::client_streaming(&client.client, PUT_STREAM, messages, options).await?;
    Ok(receipt.data)
}

/// AllStream from now on.
pub(super) fn all<S>(
    client: &Client,
    topic: &str,
    messages: S,
) -> Result<Conversation<StreamResData, Status>, Status>
where
    S: TryStream<Ok = StreamReqData, Error = Status> + Send + 'static,
{
    let options = client.options_with(&[("topic", topic)])?;
    client::duplex(&client.client, ALL_STREAM, messages, options)
}
