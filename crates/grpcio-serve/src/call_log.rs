//! A line in the log when a call starts, and one when it ends.

use grpcio::RpcStatusCode;
use grpcio_streams::{escaped, Call, Observer, Outcome};
use log::Level;

/// Logs calls at one level. Calls that end with INTERNAL or DATA_LOSS are logged as errors, unless
/// the log is quiet.
#[derive(Debug)]
pub(crate) struct CallLog {
    level: Level,
    errors: Level,
}

impl CallLog {
    /// Logs the calls of a service at level `info`.
    pub(crate) fn new() -> Self {
        Self {
            level: Level::Info,
            errors: Level::Error,
        }
    }

    /// Logs calls that come every few seconds, such as health checks, at level `debug`.
    pub(crate) fn quiet() -> Self {
        Self {
            level: Level::Debug,
            errors: Level::Debug,
        }
    }
}

impl Observer for CallLog {
    fn started(&self, call: &Call) {
        log::log!(
            self.level,
            "{} from {} started",
            call.method(),
            caller(call)
        );
    }

    fn ended(&self, call: &Call, outcome: &Outcome) {
        let level = match outcome.status.code() {
            RpcStatusCode::INTERNAL | RpcStatusCode::DATA_LOSS => self.errors,
            _ => self.level,
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
