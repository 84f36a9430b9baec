//! What a service tells the server around it.

use std::sync::Arc;

use grpcio_streams::ServiceBuilder;
use protobuf::reflect::FileDescriptor;

use crate::rights::Rights;

/// A service that a [`Server`](crate::Server) can serve.
pub trait Service: Send + Sync + 'static {
    /// Adds the methods of the service. The server has set up `builder`: it admits and logs calls,
    /// limits their messages, and ends them in a drain.
    fn methods(self: Arc<Self>, builder: ServiceBuilder) -> ServiceBuilder;

    /// The proto files that declare the service, and those of messages that clients find only in
    /// the details of a status. Reflection answers from them, with all that they import, and health
    /// knows their services.
    fn files(&self) -> Vec<FileDescriptor>;

    /// The rights that a caller needs. None where it is enough that the server knows the caller.
    fn rights(&self) -> Option<Arc<dyn Rights>> {
        None
    }

    /// Called once, after the last call has ended or was cancelled, on the thread that stops the
    /// server. It may block: this is where a service makes durable what it was given.
    fn stop(&self) {}
}
