//! Our client, with the server of grpc-go.

use super::cases::{self, Target};
use super::certificates::Certificates;
use super::service::serve;
use super::test_each_case;
use super::their_server::TheirServer;

macro_rules! check {
    ($case:ident, $tls:expr) => {
        check(cases::$case, $tls)
    };
}
test_each_case!(check);

/// The suite has no case for this method, so its client does not call our service.
#[test]
fn half_duplex() {
    check(cases::half_duplex, None);
    let server = serve(None);
    cases::half_duplex(&Target::new(server.addresses()[0], None));
}

fn check(case: fn(&Target), tls: Option<Certificates>) {
    let server = TheirServer::start(tls.as_ref());
    case(&Target::new(&server.address, tls.as_ref()));
}
