//! Messages whose prefix announces more than is sent.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::Duration;

use greeter_stream::protocol::{ALL_STREAM, PUT_STREAM};
use testkit::http2::{connect, flag, frame, Connection, WINDOW};

use super::{survives, times, LEFT};
const STREAMS: u32 = 8;

/// The prefix of an uncompressed message of 1 GiB.
const CLAIM: &[u8] = &[0, 0x40, 0, 0, 0];

/// How many bytes of each message are sent.
const SENT: u32 = 16 << 20;

/// A server that lets a call send more does so within this time.
const STALLED: Duration = Duration::from_secs(1);

/// Sends the prefix on each of the streams, and `bytes` of each message as far as the server's windows
/// allow; how many bytes in all.
fn send(connection: &mut Connection, bytes: u32) -> u64 {
    let (mut initial, mut sent) = (i64::from(WINDOW), HashMap::<u32, u32>::new());
    // How much each stream may send beyond the initial window, and the connection (0) in all.
    let mut windows = HashMap::<u32, i64>::from([(0, initial)]);
    for stream in (0..STREAMS).map(|n| 2 * n + 1) {
        connection.write(frame::DATA, 0, stream, CLAIM);
        *windows.entry(stream).or_default() -= CLAIM.len() as i64;
        *windows.entry(0).or_default() -= CLAIM.len() as i64;
    }
    loop {
        for stream in (0..STREAMS).map(|n| 2 * n + 1) {
            let done = sent.entry(stream).or_default();
            loop {
                let room = windows[&0].min(initial + windows.get(&stream).unwrap_or(&0));
                let part = room
                    .min(i64::from(bytes - *done))
                    .min(frame::MAX_BYTES as i64);
                if part <= 0 {
                    break;
                }
                connection.write(frame::DATA, 0, stream, &vec![b'x'; part as usize]);
                *done += part as u32;
                *windows.entry(0).or_default() -= part;
                *windows.entry(stream).or_default() -= part;
            }
        }
        let total = sent.values().map(|n| u64::from(*n)).sum();
        if total == u64::from(STREAMS * bytes) {
            connection.send().expect("the server reads");
            return total;
        }
        let frame = match connection.read() {
            Ok(frame) => frame,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return total,
            Err(e) => panic!("{e}"),
        };
        let number = |bytes: &[u8]| i64::from(u32::from_be_bytes(bytes.try_into().expect("four")));
        match frame.kind {
            frame::WINDOW_UPDATE => {
                *windows.entry(frame.stream).or_default() += number(frame.payload);
            }
            frame::SETTINGS if frame.flags & flag::ACK == 0 => {
                let window = frame
                    .payload
                    .chunks(6)
                    .find(|setting| setting[..2] == [0, 4]);
                initial = window.map_or(initial, |setting| number(&setting[2..]));
                connection.acknowledge_settings();
            }
            frame::RST_STREAM | frame::GOAWAY => panic!("ended: {frame:?}"),
            _ => (),
        }
    }
}

/// These messages are longer than the limit of 4 MiB. The C core reads what is sent of them before it
/// checks their length, and only its resource quota limits that.
#[test]
fn a_message_of_1_gib_takes_what_is_sent_of_it_and_no_more() {
    let of = |path| {
        let bytes = times(SENT);
        let all = u64::from(STREAMS * bytes);
        let aftermath = survives(&format!("messages of 1 GiB to {path}"), |address| {
            let mut connection = connect(address);
            connection.limit(STALLED).expect("limited");
            for n in 0..STREAMS {
                connection.headers(2 * n + 1, path, &[]);
            }
            let sent = send(&mut connection, bytes);
            format!("{sent} of {all} bytes")
        });
        assert!(aftermath.peak < all / 1024 + LEFT, "{} KiB", aftermath.peak);
        aftermath
    };
    drop([PUT_STREAM, ALL_STREAM].map(of));
}
