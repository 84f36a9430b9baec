//! `grpc.health.v1`: whether the server accepts calls. Load balancers and supervisors ask for it.
//!
//! Each service of the server is SERVING until a drain begins, and NOT_SERVING from then on. The
//! same is true of the server as a whole, whose name is empty. For a service that the server does
//! not have, Check ends with NOT_FOUND, and Watch reports SERVICE_UNKNOWN as long as it runs.
//!
//! A drain ends every other call with UNAVAILABLE. A Watch receives NOT_SERVING first.

use std::collections::HashSet;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use futures::{stream, FutureExt, Stream, StreamExt};
use grpcio::RpcStatusCode;
use grpcio_streams::{Drain, Draining, ServiceBuilder, Status};

use crate::call_limits::CallLimits;
use crate::call_log::CallLog;
use crate::generated::grpc_health_v1::health_check_response::ServingStatus;
use crate::generated::grpc_health_v1::{HealthCheckRequest, HealthCheckResponse};
use crate::limits::Limits;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// How many health calls run at a time. They do not count as calls of the server: they need no
/// identity, so they must not use up the places of calls that have one.
const MAX_CALLS: usize = 1_000;

/// A request is short, so it has to arrive within this time. A drain waits for requests that are
/// still arriving.
const REQUEST_WITHIN: Duration = Duration::from_secs(1);

/// The methods of the service. Once `draining` completes, they report NOT_SERVING for all
/// `services`.
pub(crate) fn methods(services: &[String], draining: Draining, limits: &Limits) -> ServiceBuilder {
    let never = Drain::new();
    let running = CallLimits::new(MAX_CALLS, limits.streams);
    let builder = ServiceBuilder::new(&never)
        .observer(Arc::new(CallLog::quiet()))
        .max_message_bytes(limits.message_bytes)
        .request_within(REQUEST_WITHIN)
        .admit(move |call| running.admit(call));
    let check = Arc::new(Health {
        services: services.iter().cloned().collect(),
        draining,
        _never: never,
    });
    let watch = check.clone();
    builder
        .unary(CHECK, move |_, request: HealthCheckRequest| {
            future::ready(check.check(&request.service))
        })
        .server_streaming(WATCH, move |_, request: HealthCheckRequest| {
            watch.watch(&request.service)
        })
}

struct Health {
    services: HashSet<String>,
    draining: Draining,
    /// A drain that never begins. The health calls are served with it, because the server's drain
    /// would end them before they report NOT_SERVING.
    _never: Drain,
}

impl Health {
    /// The status of a service; None for a service that the server does not have.
    fn status(&self, service: &str) -> Option<ServingStatus> {
        if !service.is_empty() && !self.services.contains(service) {
            return None;
        }
        Some(match self.draining.clone().now_or_never() {
            None => ServingStatus::SERVING,
            Some(()) => ServingStatus::NOT_SERVING,
        })
    }

    fn check(&self, service: &str) -> Result<HealthCheckResponse, Status> {
        let unknown = || {
            let why = "this server has no service of that name; reflection lists them";
            Status::new(RpcStatusCode::NOT_FOUND, why)
        };
        self.status(service).map(response).ok_or_else(unknown)
    }

    fn watch(&self, service: &str) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
        let now = self.status(service);
        let draining = self.draining.clone();
        let change = draining.clone().map(move |()| {
            let serving = now == Some(ServingStatus::SERVING);
            serving.then_some(ServingStatus::NOT_SERVING)
        });
        let first = future::ready(Some(now.unwrap_or(ServingStatus::SERVICE_UNKNOWN)));
        stream::once(first)
            .chain(stream::once(change))
            .filter_map(|status| future::ready(status.map(|status| Ok(response(status)))))
            .chain(draining.end(stream::pending(), |_| Status::draining()))
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client sees: the statuses until the call waits or ends, and how it ends.
    fn seen(
        watch: &mut (impl Stream<Item = Result<HealthCheckResponse, Status>> + Unpin),
    ) -> (Vec<ServingStatus>, Option<RpcStatusCode>) {
        let mut statuses = Vec::new();
        loop {
            match watch.next().now_or_never() {
                Some(Some(Ok(response))) => statuses.push(response.status.unwrap()),
                Some(Some(Err(status))) => return (statuses, Some(status.code())),
                Some(None) => panic!("ended with OK"),
                None => return (statuses, None),
            }
        }
    }

    #[test]
    fn a_drain_is_reported_as_soon_as_it_begins() {
        use ServingStatus::{NOT_SERVING, SERVICE_UNKNOWN, SERVING};
        let drain = Drain::new();
        let health = Health {
            services: HashSet::from(["Greeter".to_owned()]),
            draining: drain.draining(),
            _never: Drain::new(),
        };
        let known = ["", "Greeter"];
        let mut watches = known.map(|service| Box::pin(health.watch(service)));
        let mut unknown = Box::pin(health.watch("greeter"));
        for (service, watch) in known.iter().zip(&mut watches) {
            assert_eq!(health.check(service), Ok(response(SERVING)));
            assert_eq!(seen(watch), (vec![SERVING], None));
        }
        assert_eq!(seen(&mut unknown), (vec![SERVICE_UNKNOWN], None));

        drain.begin();
        let unavailable = Some(RpcStatusCode::UNAVAILABLE);
        for (service, watch) in known.iter().zip(&mut watches) {
            assert_eq!(health.check(service), Ok(response(NOT_SERVING)));
            assert_eq!(seen(watch), (vec![NOT_SERVING], unavailable));
            let mut late = Box::pin(health.watch(service));
            assert_eq!(seen(&mut late), (vec![NOT_SERVING], unavailable));
        }
        assert_eq!(seen(&mut unknown), (vec![], unavailable));
        let not_found = health.check("greeter").map_err(|status| status.code());
        assert_eq!(not_found, Err(RpcStatusCode::NOT_FOUND));
    }
}
