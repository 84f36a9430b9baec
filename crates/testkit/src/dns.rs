//! A DNS server (RFC 1035) that knows the name `service.test` and where its balancer is (RFC 2782).

use std::net::UdpSocket;
use std::thread;

const A: u16 = 1;
const SRV: u16 = 33;

/// The name that it knows.
pub const SERVICE: &str = "service.test";
const BALANCERS: &str = "_grpclb._tcp.service.test";
const BALANCER: &str = "balancer.test";

/// Starts the server, which runs until the test binary ends; its address. The name and its balancer
/// are at 127.0.0.1, and the balancer listens on `port`.
pub fn serve(port: u16) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("free port");
    let address = socket.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((n, from)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..n], port) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

fn answer(query: &[u8], port: u16) -> Option<Vec<u8>> {
    // The header is 12 bytes, then comes the question: labels, type, class.
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let question = query.get(12..at + 4)?;
    let data = match (labels.join(".").as_str(), kind) {
        (SERVICE | BALANCER, A) => Some(vec![127, 0, 0, 1]),
        (BALANCERS, SRV) => {
            // Priority, weight, port, target.
            let mut data = vec![0, 0, 0, 0];
            data.extend(port.to_be_bytes());
            for label in BALANCER.split('.') {
                data.push(label.len() as u8);
                data.extend(label.as_bytes());
            }
            data.push(0);
            Some(data)
        }
        _ => None,
    };
    let mut answer = query[..2].to_vec();
    // An authoritative response: one question, the answers, nothing else.
    answer.extend([0x84, 0, 0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    answer.extend(question);
    if let Some(data) = data {
        // The name of the question, type, class Internet, no caching.
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 0]);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}
