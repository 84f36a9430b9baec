//! Statuses of any size: the code always arrives.

use std::sync::Arc;

use futures::{stream, StreamExt};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::{client, Status};
use parking_lot::Mutex;
use protobuf::well_known_types::wrappers::StringValue;

use crate::support::{serve, soon, text, Served};

const MEBIBYTE: usize = 1024 * 1024;

/// A server that fails each call with the status that is set.
struct Failing {
    served: Served,
    status: Arc<Mutex<Status>>,
}

impl Failing {
    fn start() -> Self {
        let status = Arc::new(Mutex::new(Status::ok()));
        let served = serve(|service| {
            let status = status.clone();
            service.server_streaming("/test.Test/Fail", move |_, messages: StringValue| {
                let messages = messages.value.chars().map(|c| Ok(text(c)));
                let messages: Vec<_> = messages.collect();
                stream::iter(messages).chain(stream::iter([Err(status.lock().clone())]))
            })
        });
        Self { served, status }
    }

    /// The status that a client gets, before or after it has got a message.
    fn fail(&self, status: Status, messages: &str) -> Status {
        *self.status.lock() = status;
        let responses = client::server_streaming::<_, StringValue>(
            &self.served.client,
            "/test.Test/Fail",
            &text(messages),
            CallOption::default(),
        );
        let mut responses = responses.expect("starts");
        for _ in messages.chars() {
            let message = soon("message", responses.next());
            assert!(matches!(message, Some(Ok(_))), "{message:?}");
        }
        let status = soon("status", responses.next()).expect("a status");
        status.expect_err("a failure")
    }
}

#[test]
fn a_message_of_a_mebibyte_arrives_shortened_with_its_code() {
    let failing = Failing::start();
    for (character, kept) in [("a", 2_039), ("ß", 339), ("票", 226), ("\u{1}", 679)] {
        let message = character.repeat(MEBIBYTE / character.len());
        // The C core refuses long headers at random.
        for _ in 0..20 {
            for messages in ["", "m"] {
                for details in [0, 3_840] {
                    let details = vec![7; details];
                    let sent = Status::not_found(message.clone()).with_details(details.clone());
                    let status = failing.fail(sent, messages);
                    assert_eq!(status.code(), RpcStatusCode::NOT_FOUND);
                    assert_eq!(status.message(), character.repeat(kept) + "…");
                    assert_eq!(status.details(), details);
                }
            }
        }
    }
}

#[test]
fn details_that_do_not_fit_are_dropped_and_the_code_arrives() {
    let failing = Failing::start();
    for _ in 0..20 {
        for (message, length, arrives) in [
            ("no such stock", 5_364, true),
            ("no such stock", 5_365, false),
            ("no such stock", MEBIBYTE, false),
            ("", 5_376, true),
            ("", 5_377, false),
        ] {
            let details = vec![7; length];
            let sent = Status::aborted(message).with_details(details.clone());
            let status = failing.fail(sent, "");
            assert_eq!(status.code(), RpcStatusCode::ABORTED);
            assert_eq!(status.message(), message);
            assert_eq!(status.details(), if arrives { &details[..] } else { &[] });
        }
    }
}

#[test]
fn every_code_has_a_constructor_and_arrives() {
    type Constructor = fn(&'static str) -> Status;
    let failing = Failing::start();
    let constructors: [(i32, Constructor); 16] = [
        (1, Status::cancelled),
        (2, Status::unknown),
        (3, Status::invalid_argument),
        (4, Status::deadline_exceeded),
        (5, Status::not_found),
        (6, Status::already_exists),
        (7, Status::permission_denied),
        (8, Status::resource_exhausted),
        (9, Status::failed_precondition),
        (10, Status::aborted),
        (11, Status::out_of_range),
        (12, Status::unimplemented),
        (13, Status::internal),
        (14, Status::unavailable),
        (15, Status::data_loss),
        (16, Status::unauthenticated),
    ];
    for (code, constructor) in constructors {
        let sent = constructor("why: ß 100%");
        assert_eq!(i32::from(sent.code()), code);
        assert_eq!(failing.fail(sent.clone(), ""), sent);
    }
}
