//! The thread that a command runs on.

use std::time::Duration;

use futures::future::Future;
use grpcio::RpcStatusCode;
use grpcio_streams::{Queues, Status};

use super::console::Console;
use super::failure::Failure;
use super::hints;
use crate::client::{Client, Config};

/// How long the client's threads may take to stop after the command has ended.
pub(super) const THREADS_STOP_WITHIN: Duration = Duration::from_secs(1);

/// Runs a command on the thread of a completion queue. With `wait` it begins when the server is
/// reached.
pub(super) fn on_one_queue<F>(
    config: Config,
    wait: bool,
    command: impl FnOnce(Client) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let queues = Queues::start("queue", 1);
    let client = Client::new(&queues, config)?;
    let done = client.run(reached(client.clone(), wait, command(client.clone())));
    drop(client);
    if !queues.stop(THREADS_STOP_WITHIN) {
        log::warn!("a call is still running");
    }
    done
}

/// Runs a command. With `wait` it first waits for the server, and reports on standard error why the
/// server is not reached. The status of a deadline that passes without a connection says why there is
/// none.
pub(super) async fn reached(
    client: Client,
    wait: bool,
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let config = client.config();
    if wait {
        let (console, mut told) = (Console::plain(), String::new());
        let say = |why: &Status| {
            let why = hints::reason(why, config);
            if why != told {
                console.waiting(&config.servers, &why);
                told = why;
            }
        };
        if let Err(why) = client.reach(say).await {
            return Err(unreached("the server was never reached", &why, config));
        }
    }
    match command.await {
        Err(Failure::Call(status)) if status.code() == RpcStatusCode::DEADLINE_EXCEEDED => {
            match client.unreachable().await {
                None => Err(Failure::Call(status)),
                Some(why) => Err(unreached("the server cannot be reached", &why, config)),
            }
        }
        done => done,
    }
}

fn unreached(what: &str, why: &Status, config: &Config) -> Failure {
    let why = hints::reason(why, config);
    Failure::Call(Status::deadline_exceeded(format!("{what}: {why}")))
}
