//! What is said to the person who watches, whatever the output is used for.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use super::prompt::Above;
use crate::client::Notice;
use crate::text::escaped;

/// Standard error, which may be the terminal that somebody types on.
#[derive(Clone, Default)]
pub(super) struct Console {
    above: Option<Above>,
}

impl Console {
    /// For a terminal with a prompt.
    pub(super) fn above(prompt: Above) -> Self {
        Self {
            above: io::stderr().is_terminal().then_some(prompt),
        }
    }

    /// Says something, a line.
    pub(super) fn say(&self, what: &impl Display) {
        // It may be closed.
        let _ = match self.above.clone() {
            Some(mut above) => {
                writeln!(above, "greeter-client: {what}").and_then(|()| above.flush())
            }
            None => writeln!(io::stderr(), "greeter-client: {what}"),
        };
    }

    /// Says that the server is tried again.
    pub(super) fn notice(&self) -> Notice {
        let console = self.clone();
        Box::new(move |status, wait| {
            let status = status.to_string();
            console.say(&format!(
                "{}; trying again in {} ms",
                escaped(&status),
                wait.as_millis()
            ));
        })
    }
}
