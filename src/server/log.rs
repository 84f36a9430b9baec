//! A line in the log when a call starts and one when it ends; of health checks, which come every few
//! seconds, at the level of debugging.

use grpcio::RpcStatusCode;

use super::identity::is_open;
use grpcio_streams::escaped;
use grpcio_streams::{Call, Observer, Outcome};

#[derive(Debug)]
pub(super) struct LogCalls;

impl Observer for LogCalls {
    fn started(&self, call: &Call) {
        log::log!(
            level(call),
            "{} from {} started",
            call.method(),
            caller(call)
        );
    }

    fn ended(&self, call: &Call, outcome: &Outcome) {
        let level = match outcome.status.code() {
            RpcStatusCode::INTERNAL | RpcStatusCode::DATA_LOSS if !is_open(call.method()) => {
                log::Level::Error
            }
            _ => level(call),
        };
        log::log!(
            level,
            "{} from {} ended after {:.3} s, {} in, {} out: {}",
            call.method(),
            caller(call),
            call.elapsed().as_secs_f64(),
            outcome.received,
            outcome.sent,
            escaped(&outcome.status.to_string()),
        );
    }
}

fn caller(call: &Call) -> String {
    match call.identity() {
        None => call.peer().to_owned(),
        Some(name) => format!("{} ({})", call.peer(), escaped(name)),
    }
}

fn level(call: &Call) -> log::Level {
    match is_open(call.method()) {
        true => log::Level::Debug,
        false => log::Level::Info,
    }
}
