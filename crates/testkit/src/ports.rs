//! Ports for servers that start later or again.

use std::net::TcpListener;

/// A free TCP port of 127.0.0.1. It is above the privileged ports and below the ephemeral ports, so
/// the system does not give it to another socket.
pub fn free() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_768));
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("the iterator does not end")
}

/// The address of such a port.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free())
}
