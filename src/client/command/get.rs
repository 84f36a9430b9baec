//! `get`: GetStream to standard output.

use futures::StreamExt;

use super::output::Output;
use super::Failure;
use crate::client::Client;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to ask for, such as a stock's code
    data: String,

    /// Stop after N messages
    #[arg(long, value_name = "N")]
    count: Option<usize>,

    /// Print each message as a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    let messages = client.get(args.data)?;
    let wanted = messages.take(args.count.unwrap_or(usize::MAX));
    Output::new(args.json).print(wanted).await
}
