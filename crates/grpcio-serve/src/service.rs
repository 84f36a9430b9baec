//! The interface between a service and the server that serves it.

use std::sync::Arc;

use grpcio_streams::ServiceBuilder;
use protobuf::reflect::FileDescriptor;

use crate::rights::Rights;

/// A service that a [`Server`](crate::Server) can serve.
///
/// ```
/// use std::future::ready;
/// use std::sync::Arc;
///
/// use grpcio_serve::{Server, Service};
/// use grpcio_streams::grpcio::{CallOption, ChannelBuilder, Client};
/// use grpcio_streams::{client, Queues, ServiceBuilder};
/// use protobuf::reflect::FileDescriptor;
/// use protobuf::well_known_types::wrappers::StringValue;
///
/// const SAY: &str = "/example.Echo/Say";
///
/// struct Echo;
///
/// impl Service for Echo {
///     fn methods(self: Arc<Self>, builder: ServiceBuilder) -> ServiceBuilder {
///         builder.unary(SAY, |_call, text: StringValue| ready(Ok(text)))
///     }
///
///     fn files(&self) -> Vec<FileDescriptor> {
///         // The file_descriptor() of the generated module that declares the service.
///         Vec::new()
///     }
/// }
///
/// let server = Server::builder()
///     .listen("127.0.0.1:0".parse()?)
///     .service(Echo)
///     .start()?;
///
/// let queues = Queues::start("client", 1);
/// let channel = ChannelBuilder::new(queues.env()).enable_retry(false);
/// let client = Client::new(channel.connect(&server.addresses()[0].to_string()));
/// let hello = StringValue { value: "hello".into(), ..Default::default() };
/// let call = client::unary(&client, SAY, &hello, CallOption::default());
/// let answer: StringValue = futures::executor::block_on(call)?;
/// assert_eq!(answer.value, "hello");
///
/// server.run_until(async {});
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Service: Send + Sync + 'static {
    /// Adds the methods of the service to `builder`. The server has configured it to admit and log
    /// calls, to limit their messages, and to end them in a drain.
    fn methods(self: Arc<Self>, builder: ServiceBuilder) -> ServiceBuilder;

    /// The proto files that declare the service, and the files of messages that appear only in the
    /// details of a status. Reflection answers from these files and their imports. Health reports
    /// the services that they declare.
    fn files(&self) -> Vec<FileDescriptor>;

    /// The rights that callers need. None if every caller that the server knows may make every
    /// call.
    fn rights(&self) -> Option<Arc<dyn Rights>> {
        None
    }

    /// Called once, on the thread that stops the server, after the last call has ended or was
    /// cancelled. It may block, for example until data is durable.
    fn stop(&self) {}
}
