//! Batching: messages that are ready together share frames, and no message waits for a later one.

use futures::StreamExt;
use testkit::relay::Relay;
use testkit::wait::soon;

use crate::support::{client, server};

#[test]
fn a_burst_shares_frames_and_a_paced_stream_does_not_wait() {
    const MESSAGES: usize = 2_000;
    let frames = |interval: &str, ticks: usize| {
        let server = server::start(&["--ticks", &ticks.to_string(), "--tick-interval", interval]);
        let relay = Relay::to(&server.address);
        let ticks_seen = soon(
            "ticks",
            client(&relay.address).get("aaa").expect("starts").count(),
        );
        assert_eq!(ticks_seen, ticks);
        relay.data_frames()
    };
    // A frame holds up to 16 KiB, and a message has 17 bytes. The first message, the flow-control
    // window and the C core's buffer of 64 KiB cost some more frames.
    let burst = frames("0s", MESSAGES);
    assert!(
        burst <= MESSAGES / 20,
        "{MESSAGES} ready messages took {burst} frames"
    );
    // Each message of a quiet stream has a frame of its own, because it leaves before the next exists.
    assert_eq!(frames("20ms", 10), 10);
}
