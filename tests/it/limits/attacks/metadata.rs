//! Headers of calls that are long, or become long when they are decoded.

use greeter_stream::protocol::PUT_STREAM;
use grpcio::RpcStatusCode;
use testkit::http2::{block, fields, flag, frame};

use super::{connect_and_acknowledge, survives, times, Aftermath};
use crate::support::core::core;

/// Makes `calls` calls on one connection, of which the first has the headers `first` and the others
/// `later`. Each is refused, because its headers are over 16 KiB as the C core counts them: with 32
/// bytes more for each header. The connection lives on.
fn bomb(what: &str, calls: u32, first: &[u8], later: &[u8]) -> Aftermath {
    survives(what, |address| {
        let mut connection = connect_and_acknowledge(address);
        connection.header_block(1, first);
        let (code, why) = connection.status().expect("refused");
        assert_eq!(code, RpcStatusCode::RESOURCE_EXHAUSTED, "{why}");
        let says_why = why.contains("metadata size exceeds");
        assert!(says_why || !core().always_names_the_metadata, "{why}");

        let calls = times(calls);
        let answers = connection.count().expect("reads");
        for n in 1..calls {
            connection.header_block(2 * n + 1, later);
            connection.send().expect("the server reads");
        }
        connection.finish().expect("the server reads");
        let answers = answers.join().expect("no panic");
        assert!(answers.finished, "{answers:?}");
        format!("{calls} calls of {} bytes", later.len())
    })
}

#[test]
fn a_long_value_is_refused() {
    let block = block(PUT_STREAM, &[("x", &"y".repeat(1_000_000))]);
    drop(bomb("a long value", 100, &block, &block));
}

#[test]
fn many_headers_are_refused() {
    let block = block(PUT_STREAM, &[("x", ""); 100_000]);
    drop(bomb("many headers", 20, &block, &block));
}

/// The HPACK bomb (CVE-2016-6581): each byte stands for 4,000 bytes, and all together for 64 MB.
#[test]
fn references_that_expand_are_refused() {
    const NAMED: u8 = 0x40;
    // The first entry of the dynamic table (RFC 7541, section 6.1).
    const NEWEST: u8 = 0x80 | 62;
    let references = [NEWEST; 16_000];
    let entry = block(PUT_STREAM, &[("x", &"y".repeat(4_000))]);
    let mut first = entry.clone();
    // The last header is written as a literal that is not indexed. This byte makes it an indexed one.
    let start = block(PUT_STREAM, &[]);
    first[start.len()] = NAMED;
    first.extend(references);
    let later = [&start[..], &references].concat();
    drop(bomb("references", 1_000, &first, &later));
}

/// CVE-2024-27316 and similar attacks. The server holds no more than the limit: it drops what comes, or
/// ends the connection.
#[test]
fn headers_that_never_end_take_no_memory() {
    let start = block(PUT_STREAM, &[]);
    let field = |length| fields(&[("x", &"y".repeat(length))]);
    let cases = [
        ("empty CONTINUATION", 1_000_000, Vec::new()),
        ("CONTINUATION of a short header", 1_000_000, field(1)),
        ("CONTINUATION of 10 KB", 10_000, field(10_000)),
    ];
    let of = |(what, frames, field): (_, _, Vec<u8>)| {
        survives(what, |address| {
            let mut connection = connect_and_acknowledge(address);
            let answers = connection.count().expect("reads");
            connection.write(frame::HEADERS, 0, 1, &start);
            let frames = times(frames);
            for n in 0..frames {
                connection.write(frame::CONTINUATION, 0, 1, &field);
                if n % 100 == 0 && connection.send().is_err() {
                    break;
                }
            }
            connection.write(frame::CONTINUATION, flag::END_HEADERS, 1, &[]);
            // The server may have ended the connection.
            let _ = connection.finish();
            let answers = answers.join().expect("no panic");
            let lives = !field.is_empty() || core().lives_after_empty_frames;
            assert_eq!(answers.finished, lives, "{what}: {answers:?}");
            format!(
                "{frames} frames of {} bytes, the connection lives on: {lives}",
                field.len()
            )
        })
    };
    drop(cases.map(of));
}
