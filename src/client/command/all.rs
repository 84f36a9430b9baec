//! `all`: AllStream between standard input and standard output.

use futures::TryStreamExt;

use super::input::Input;
use super::output::Output;
use super::Failure;
use crate::client::Client;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print each message as a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    let lines = Input::stdin().lines().map_err(Failure::from);
    Output::new(args.json).print(client.all(lines)?).await
}
