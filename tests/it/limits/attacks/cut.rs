//! Thousands of uploads that are cut.

use futures::StreamExt;
use greeter_stream::generated::greeter::StreamReqData;
use grpcio::RpcStatusCode;
use grpcio_streams::Requests;
use testkit::http2::connect;
use testkit::served::{outcomes, serve};
use testkit::wait::PATIENCE;

use super::times;
use crate::support::messages::response;

const ON_A_CONNECTION: u32 = 100;

#[test]
fn ten_thousand_uploads_that_are_cut_are_none_of_them_complete() {
    let (observer, ended) = outcomes();
    let server = serve(2, |service| {
        // This handler takes every end, even an error, for a good one.
        let put = |_, requests: Requests<StreamReqData>| async move {
            let count = requests.filter(|r| std::future::ready(r.is_ok())).count();
            Ok(response(count.await))
        };
        service
            .observer(observer)
            .client_streaming("/test/Put", put)
    });
    let connections = times(100);
    for n in 0..connections {
        let mut connection = connect(&server.address);
        for n in 0..ON_A_CONNECTION {
            connection.headers(2 * n + 1, "/test/Put", &[]);
            connection.message(2 * n + 1, 0, b"\x0a\x01a");
        }
        // The calls must have reached the server before they are cut.
        let answers = connection.count().expect("reads");
        connection.finish().expect("the server reads");
        assert!(answers.join().expect("no panic").finished);
        // A third is cut in the middle of a message, a third by resets, and a third with the connection.
        match n % 3 {
            0 => (0..ON_A_CONNECTION).for_each(|n| connection.write(0, 0, 2 * n + 1, &[0, 0])),
            1 => (0..ON_A_CONNECTION).for_each(|n| connection.reset(2 * n + 1)),
            _ => (),
        }
        connection.send().expect("the server reads");
    }
    for n in 0..connections * ON_A_CONNECTION {
        let outcome = ended.recv_timeout(PATIENCE).expect("ended");
        assert_eq!(
            outcome.status.code(),
            RpcStatusCode::CANCELLED,
            "{n}: {outcome:?}"
        );
        // The handler answered, but nobody got it.
        assert_eq!(outcome.sent, 0, "{n}: {outcome:?}");
    }
}
