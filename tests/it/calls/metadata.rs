//! The response metadata of a stream. The binding sends them only together with the first message, as
//! `docs/library.md` says. The test fails when that changes. Then the documents and
//! `client::Subscription` can change, too.

use std::future::ready;
use std::sync::mpsc::channel;

use futures::TryStreamExt;
use grpcio::MetadataBuilder;
use grpcio_streams::Requests;
use protobuf::well_known_types::wrappers::StringValue;
use protobuf::Message;
use testkit::http2::{connect, flag, frame};
use testkit::served::serve;
use testkit::wait::PATIENCE;

const PATH: &str = "/test.Test/Filter";

#[test]
fn metadata_wait_for_the_first_message() {
    let (saw_request, seen) = channel();
    let served = serve(1, |service| {
        service.duplex(PATH, move |call, requests: Requests<StringValue>| {
            let mut metadata = MetadataBuilder::new();
            metadata.add_str("key", "early").expect("good metadata");
            call.respond_with(metadata.build());
            let saw_request = saw_request.clone();
            requests.try_filter(move |request| {
                saw_request.send(()).expect("the test runs");
                ready(request.value == "answer this")
            })
        })
    });
    let mut connection = connect(&served.address);
    connection.headers(1, PATH, &[]);
    // The handler sees the second request when it is woken again. All that the first wake-up sends
    // has been sent then.
    for _ in 0..2 {
        connection.message(1, 0, &[]);
        connection.send().expect("sent");
        seen.recv_timeout(PATIENCE).expect("a request");
    }
    // What is sent together with the answer to the first ping comes before that to the second.
    for _ in 0..2 {
        let answers = connection.count().expect("reads");
        connection.finish().expect("sent");
        let answers = answers.join().expect("no panic");
        assert!(answers.finished, "{answers:?}");
        assert_eq!(answers.of(frame::HEADERS), 0, "{answers:?}");
    }

    let request = StringValue {
        value: "answer this".to_owned(),
        ..Default::default()
    };
    let request = request.write_to_bytes().expect("encodes");
    connection.message(1, flag::END_STREAM, &request);
    let mut headers = Vec::new();
    let answered = connection.read_until(PATIENCE, |frame| {
        if frame.kind == frame::HEADERS {
            headers.extend_from_slice(frame.payload);
        }
        frame.kind == frame::DATA
    });
    answered.expect("a message");
    let headers = String::from_utf8_lossy(&headers);
    assert!(headers.contains("early"), "{headers:?}");
}
