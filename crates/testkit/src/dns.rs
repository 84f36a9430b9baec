//! A DNS server (RFC 1035) with the name `service.test` and the SRV record of its balancer (RFC
//! 2782).

use std::net::UdpSocket;
use std::thread;

const A: u16 = 1;
const SRV: u16 = 33;

/// The name that the server knows.
pub const SERVICE: &str = "service.test";
const BALANCERS: &str = "_grpclb._tcp.service.test";
const BALANCER: &str = "balancer.test";

/// Starts the server and returns its address. It runs until the test binary ends. The addresses of
/// the name and of its balancer are 127.0.0.1, and the port of the balancer is `port`.
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
    // The header has 12 bytes. The question follows: labels, type, class.
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
