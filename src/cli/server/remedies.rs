//! Errors of the server in the words of its command line.

use grpcio_serve::LimitError;
use topic_log::OpenError;

use crate::server::StartError;

/// Why the server cannot start, with the flags that help.
pub fn in_flags(error: &StartError) -> String {
    use grpcio_serve::StartError as Serve;
    match error {
        StartError::Serve(Serve::Plaintext(address)) => format!(
            "{address} can be reached from elsewhere, and without TLS everyone on the way can read \
             and change what is sent; give --tls-cert and --tls-key, or --insecure if that is meant"
        ),
        StartError::Serve(Serve::Limit(e)) => limit_in_flags(e),
        StartError::Topics(e) => folder_in_flags(e),
        _ => error.to_string(),
    }
}

/// A limit out of its range, by its flag.
pub(super) fn limit_in_flags(error: &LimitError) -> String {
    let flag = match error.limit() {
        "message_bytes" => "--max-message-bytes",
        "metadata_bytes" => "--max-metadata-bytes",
        "memory_bytes" => "--max-memory-bytes",
        "streams" => "--max-streams",
        "calls" => "--max-calls",
        "connections" => "--max-connections",
        "handshake" => "--handshake-timeout",
        "keepalive" => "--keepalive",
        "keepalive_timeout" => "--keepalive-timeout",
        "ping_interval" => "--min-ping-interval",
        "connection_age" => "--max-connection-age",
        "connection_age_grace" => "--max-connection-age-grace",
        _ => return error.to_string(),
    };
    let (value, range) = (error.value(), error.range());
    format!("{flag} {value} is not possible; it goes from {range}")
}

/// Why a folder of topics cannot be used. The flag that names it is `--data`.
pub(super) fn folder_in_flags(error: &OpenError) -> String {
    match error {
        OpenError::Thread(_) => error.to_string(),
        _ => format!("{error} (--data)"),
    }
}

#[cfg(test)]
mod tests {
    use grpcio_serve::Limits;

    use super::*;

    #[test]
    fn every_limit_has_its_flag() {
        let (zero, good) = (Default::default(), Limits::default());
        for limits in [
            Limits {
                metadata_bytes: 0,
                ..good.clone()
            },
            Limits {
                memory_bytes: 0,
                ..good.clone()
            },
            Limits {
                streams: 0,
                ..good.clone()
            },
            Limits {
                calls: 0,
                ..good.clone()
            },
            Limits {
                connections: Some(0),
                ..good.clone()
            },
            Limits {
                handshake: zero,
                ..good.clone()
            },
            Limits {
                keepalive: zero,
                ..good.clone()
            },
            Limits {
                keepalive_timeout: zero,
                ..good.clone()
            },
            Limits {
                ping_interval: zero,
                ..good.clone()
            },
            Limits {
                connection_age: Some(zero),
                ..good.clone()
            },
            Limits {
                connection_age_grace: zero,
                ..good.clone()
            },
        ] {
            let error = limits.check().expect_err("out of range");
            let said = limit_in_flags(&error);
            assert!(said.starts_with("--"), "{said}");
            assert!(said.contains(" is not possible; it goes from "), "{said}");
        }
    }
}
