//! Errors of the server, with the flags of its command line.

use grpcio_serve::LimitError;
use topic_log::OpenError;

use crate::server::StartError;

/// The error of a start, with the flags that solve it.
pub fn in_flags(error: &StartError) -> String {
    use grpcio_serve::StartError as Serve;
    match error {
        StartError::Serve(Serve::Plaintext(address)) => format!(
            "other machines can reach {address}, and without TLS everyone on the network path can \
             read and change what is sent; give --tls-cert and --tls-key, or --insecure if \
             plaintext is intended"
        ),
        StartError::Serve(Serve::Limit(e)) => limit_in_flags(e),
        StartError::Topics(e) => folder_in_flags(e),
        _ => error.to_string(),
    }
}

/// The error of a limit that is out of its range, with its flag.
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
    format!("{flag} {value} is out of range; the range is {range}")
}

/// The error of a folder of topics, with its flag `--data`.
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
            assert!(said.contains(" is out of range; the range is "), "{said}");
        }
    }
}
