//! A service of one's own with TLS, health, reflection, rights of its callers and a drain. The
//! README says how its files are made, and how it is run and called.

#![allow(clippy::print_stdout)]

use std::{env, error::Error, sync::Arc};

use futures::stream;
use grpcio_serve::{stop_signal, MethodRights, Rights, Server, ServerTls, Service};
use grpcio_streams::ServiceBuilder;
use protobuf::well_known_types::wrappers::{self, Int64Value};
use protobuf::{reflect::FileDescriptor, text_format::parse_from_str};

/// What a proto file would declare. Generated code has a function `file_descriptor` instead.
const FILE: &str = r#"
    name: "counter.proto" package: "example" dependency: "google/protobuf/wrappers.proto"
    service { name: "Counter" method { name: "CountTo" server_streaming: true
        input_type: ".google.protobuf.Int64Value" output_type: ".google.protobuf.Int64Value" } }"#;
const COUNT_TO: &str = "/example.Counter/CountTo";

struct Counter(FileDescriptor);

impl Service for Counter {
    fn methods(self: Arc<Self>, builder: ServiceBuilder) -> ServiceBuilder {
        let number = |value| Int64Value {
            value,
            ..Default::default()
        };
        builder.server_streaming(COUNT_TO, move |_call, limit: Int64Value| {
            stream::iter((1..=limit.value).map(move |n| Ok(number(n))))
        })
    }

    fn files(&self) -> Vec<FileDescriptor> {
        vec![self.0.clone()]
    }

    fn rights(&self) -> Option<Arc<dyn Rights>> {
        Some(Arc::new(MethodRights))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:50053".to_owned());
    let imports = [wrappers::file_descriptor().clone()];
    let stop = stop_signal()?;
    let server = Server::builder()
        .listen(address.parse()?)
        .tls(ServerTls::new("server.crt", "server.key"))
        .token_file("callers")
        .service(Counter(FileDescriptor::new_dynamic(
            parse_from_str(FILE)?,
            &imports,
        )?))
        .start()?;
    println!("listening on {}", server.addresses()[0]);
    server.run_until(stop);
    Ok(())
}
