//! All services of a server: those of its builder, and the standard ones.

use std::collections::HashSet;
use std::sync::Arc;

use grpcio_streams::{Drain, ServiceBuilder};
use protobuf::reflect::FileDescriptor;

use crate::call_limits::CallLimits;
use crate::call_log::CallLog;
use crate::config::{Config, StartError};
use crate::descriptors::Descriptors;
use crate::generated::{
    grpc_channelz_v1, grpc_health_v1, grpc_reflection_v1, grpc_reflection_v1alpha,
};
use crate::identity::Identities;
use crate::rights::{Rights, Vocabulary};
use crate::service::Service;
use crate::{channelz, health, reflection};

/// Registers `services`, health, reflection and, if it is set, channelz. `drain` ends the calls of
/// all services but health, which reports NOT_SERVING then.
pub(crate) fn register(
    services: &[Arc<dyn Service>],
    config: &Config,
    drain: &Drain,
) -> Result<Vec<grpcio::Service>, StartError> {
    let rights: Vec<_> = services.iter().map(|service| service.rights()).collect();
    let methods = Methods::new(config, drain, rights.iter().flatten().cloned())?;
    let mut builders = Vec::new();
    for (service, rights) in services.iter().zip(rights) {
        builders.push(service.clone().methods(methods.builder(rights)));
    }
    let mut files: Vec<FileDescriptor> = services
        .iter()
        .flat_map(|service| service.files())
        .collect();
    files.extend([
        grpc_health_v1::file_descriptor().clone(),
        grpc_reflection_v1::file_descriptor().clone(),
        grpc_reflection_v1alpha::file_descriptor().clone(),
    ]);
    if config.channelz {
        files.push(grpc_channelz_v1::file_descriptor().clone());
        builders.push(channelz::add(methods.builder(None)));
    }
    let descriptors = Descriptors::new(&files);
    let names = descriptors.services();
    builders.push(health::methods(names, drain.draining(), &config.limits));
    builders.push(reflection::add(methods.builder(None), descriptors));
    build(builders)
}

/// The configuration that all methods but those of health share.
struct Methods<'a> {
    config: &'a Config,
    drain: &'a Drain,
    log: Arc<CallLog>,
    identities: Option<Arc<Identities>>,
    running: Arc<CallLimits>,
}

impl<'a> Methods<'a> {
    fn new(
        config: &'a Config,
        drain: &'a Drain,
        rights: impl Iterator<Item = Arc<dyn Rights>>,
    ) -> Result<Self, StartError> {
        let client_ca = config.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
        let identities = Identities::start(
            config.token_file.as_deref(),
            client_ca.is_some(),
            Vocabulary::new(rights),
        )?;
        Ok(Self {
            config,
            drain,
            log: Arc::new(CallLog::new()),
            identities: identities.map(Arc::new),
            running: CallLimits::new(config.limits.calls, config.limits.streams),
        })
    }

    /// A builder for the methods of a service with these rights.
    fn builder(&self, rights: Option<Arc<dyn Rights>>) -> ServiceBuilder {
        let builder = ServiceBuilder::new(self.drain)
            .observer(self.log.clone())
            .max_message_bytes(self.config.limits.message_bytes);
        let builder = match self.identities.clone() {
            None => builder,
            Some(identities) => {
                builder.admit(move |call| identities.admit(call, rights.as_deref()))
            }
        };
        let running = self.running.clone();
        builder.admit(move |call| running.admit(call))
    }
}

/// Builds all services. No two of them may have the same method.
fn build(builders: Vec<ServiceBuilder>) -> Result<Vec<grpcio::Service>, StartError> {
    let mut known = HashSet::new();
    for path in builders.iter().flat_map(|builder| builder.paths()) {
        if !known.insert(*path) {
            return Err(StartError::Twice(path));
        }
    }
    let built = builders.into_iter().map(ServiceBuilder::build);
    Ok(built.collect::<Result<_, _>>()?)
}
