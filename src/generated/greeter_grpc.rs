// This file is generated. Do not edit
// @generated

// https://github.com/Manishearth/rust-clippy/issues/702
#![allow(unknown_lints)]
#![allow(clippy::all)]

#![allow(box_pointers)]
#![allow(dead_code)]
#![allow(missing_docs)]
#![allow(non_camel_case_types)]
#![allow(non_snake_case)]
#![allow(non_upper_case_globals)]
#![allow(trivial_casts)]
#![allow(unused_imports)]
#![allow(unused_results)]

const METHOD_GREETER_GET_STREAM: ::grpcio::Method<super::greeter::StreamReqData, super::greeter::StreamResData> = ::grpcio::Method {
    ty: ::grpcio::MethodType::ServerStreaming,
    name: "/Greeter/GetStream",
    req_mar: ::grpcio::Marshaller { ser: ::grpcio::pb_ser, de: ::grpcio::pb_de },
    resp_mar: ::grpcio::Marshaller { ser: ::grpcio::pb_ser, de: ::grpcio::pb_de },
};

const METHOD_GREETER_PUT_STREAM: ::grpcio::Method<super::greeter::StreamReqData, super::greeter::StreamResData> = ::grpcio::Method {
    ty: ::grpcio::MethodType::ClientStreaming,
    name: "/Greeter/PutStream",
    req_mar: ::grpcio::Marshaller { ser: ::grpcio::pb_ser, de: ::grpcio::pb_de },
    resp_mar: ::grpcio::Marshaller { ser: ::grpcio::pb_ser, de: ::grpcio::pb_de },
};

const METHOD_GREETER_ALL_STREAM: ::grpcio::Method<super::greeter::StreamReqData, super::greeter::StreamResData> = ::grpcio::Method {
    ty: ::grpcio::MethodType::Duplex,
    name: "/Greeter/AllStream",
    req_mar: ::grpcio::Marshaller { ser: ::grpcio::pb_ser, de: ::grpcio::pb_de },
    resp_mar: ::grpcio::Marshaller { ser: ::grpcio::pb_ser, de: ::grpcio::pb_de },
};

#[derive(Clone)]
pub struct GreeterClient {
    pub client: ::grpcio::Client,
}

impl GreeterClient {
    pub fn new(channel: ::grpcio::Channel) -> Self {
        GreeterClient {
            client: ::grpcio::Client::new(channel),
        }
    }

    pub fn get_stream_opt(&self, req: &super::greeter::StreamReqData, opt: ::grpcio::CallOption) -> ::grpcio::Result<::grpcio::ClientSStreamReceiver<super::greeter::StreamResData>> {
        self.client.server_streaming(&METHOD_GREETER_GET_STREAM, req, opt)
    }

    pub fn get_stream(&self, req: &super::greeter::StreamReqData) -> ::grpcio::Result<::grpcio::ClientSStreamReceiver<super::greeter::StreamResData>> {
        self.get_stream_opt(req, ::grpcio::CallOption::default())
    }

    pub fn put_stream_opt(&self, opt: ::grpcio::CallOption) -> ::grpcio::Result<(::grpcio::ClientCStreamSender<super::greeter::StreamReqData>, ::grpcio::ClientCStreamReceiver<super::greeter::StreamResData>)> {
        self.client.client_streaming(&METHOD_GREETER_PUT_STREAM, opt)
    }

    pub fn put_stream(&self) -> ::grpcio::Result<(::grpcio::ClientCStreamSender<super::greeter::StreamReqData>, ::grpcio::ClientCStreamReceiver<super::greeter::StreamResData>)> {
        self.put_stream_opt(::grpcio::CallOption::default())
    }

    pub fn all_stream_opt(&self, opt: ::grpcio::CallOption) -> ::grpcio::Result<(::grpcio::ClientDuplexSender<super::greeter::StreamReqData>, ::grpcio::ClientDuplexReceiver<super::greeter::StreamResData>)> {
        self.client.duplex_streaming(&METHOD_GREETER_ALL_STREAM, opt)
    }

    pub fn all_stream(&self) -> ::grpcio::Result<(::grpcio::ClientDuplexSender<super::greeter::StreamReqData>, ::grpcio::ClientDuplexReceiver<super::greeter::StreamResData>)> {
        self.all_stream_opt(::grpcio::CallOption::default())
    }
    pub fn spawn<F>(&self, f: F) where F: ::std::future::Future<Output = ()> + Send + 'static {
        self.client.spawn(f)
    }
}

pub trait Greeter {
    fn get_stream(&mut self, ctx: ::grpcio::RpcContext, _req: super::greeter::StreamReqData, sink: ::grpcio::ServerStreamingSink<super::greeter::StreamResData>) {
        grpcio::unimplemented_call!(ctx, sink)
    }
    fn put_stream(&mut self, ctx: ::grpcio::RpcContext, _stream: ::grpcio::RequestStream<super::greeter::StreamReqData>, sink: ::grpcio::ClientStreamingSink<super::greeter::StreamResData>) {
        grpcio::unimplemented_call!(ctx, sink)
    }
    fn all_stream(&mut self, ctx: ::grpcio::RpcContext, _stream: ::grpcio::RequestStream<super::greeter::StreamReqData>, sink: ::grpcio::DuplexSink<super::greeter::StreamResData>) {
        grpcio::unimplemented_call!(ctx, sink)
    }
}

pub fn create_greeter<S: Greeter + Send + Clone + 'static>(s: S) -> ::grpcio::Service {
    let mut builder = ::grpcio::ServiceBuilder::new();
    let mut instance = s.clone();
    builder = builder.add_server_streaming_handler(&METHOD_GREETER_GET_STREAM, move |ctx, req, resp| {
        instance.get_stream(ctx, req, resp)
    });
    let mut instance = s.clone();
    builder = builder.add_client_streaming_handler(&METHOD_GREETER_PUT_STREAM, move |ctx, req, resp| {
        instance.put_stream(ctx, req, resp)
    });
    let mut instance = s;
    builder = builder.add_duplex_streaming_handler(&METHOD_GREETER_ALL_STREAM, move |ctx, req, resp| {
        instance.all_stream(ctx, req, resp)
    });
    builder.build()
}
