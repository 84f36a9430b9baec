//! What a server serves: `Greeter`, and beside it the services that tools for gRPC expect.

use std::sync::Arc;

use super::calls::Calls;
use super::descriptors::Descriptors;
use super::{channelz, health, reflection, Config};
use crate::generated::{
    greeter, grpc_channelz_v1, grpc_health_v1, grpc_reflection_v1, grpc_reflection_v1alpha,
    rich_status,
};
use crate::service;
use grpcio_streams::{Draining, ServiceBuilder};
use topic_log::Store;

/// All services of a server with `config`, their methods added to `calls` but for those of health,
/// which tells of the drain that ends the others.
pub(super) fn services(
    calls: ServiceBuilder,
    running: Arc<Calls>,
    draining: Draining,
    config: &Config,
    store: Arc<dyn Store>,
) -> [grpcio::Service; 2] {
    let mut files = vec![
        greeter::file_descriptor(),
        grpc_health_v1::file_descriptor(),
        grpc_reflection_v1::file_descriptor(),
        grpc_reflection_v1alpha::file_descriptor(),
        // For the details of a status.
        rich_status::file_descriptor(),
    ];
    let calls = calls
        .max_message_bytes(config.limits.message_bytes)
        .admit(move |call| running.admit(call));
    let mut calls = service::greeter(calls, &config.service, store);
    if config.channelz {
        files.push(grpc_channelz_v1::file_descriptor());
        calls = channelz::add(calls);
    }
    let descriptors = Descriptors::new(&files);
    let health = health::service(descriptors.services(), draining, &config.limits);
    [reflection::add(calls, descriptors).build(), health]
}
