//! What the commands that know topics have in common.

use std::fmt::Display;
use std::io::{self, Write};

use crate::client::Notice;
use crate::text::escaped;
use crate::topic::{From, FromError, Name, NameError, ProducerName};

/// Says something to the person who watches, whatever the output is used for.
pub(super) fn say(what: &impl Display) {
    // Standard error may be closed.
    let _ = writeln!(io::stderr(), "greeter-client: {what}");
}

/// Says that the server is tried again.
pub(super) fn notice() -> Notice {
    Box::new(|status, wait| {
        let status = status.to_string();
        say(&format!(
            "{}; trying again in {} ms",
            escaped(&status),
            wait.as_millis()
        ));
    })
}

pub(super) fn topic(text: &str) -> Result<Name, NameError> {
    Name::new(text)
}

pub(super) fn producer(text: &str) -> Result<ProducerName, NameError> {
    ProducerName::new(text)
}

pub(super) fn from(text: &str) -> Result<From, FromError> {
    text.parse()
}
