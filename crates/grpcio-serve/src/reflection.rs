//! `grpc.reflection.v1` and `v1alpha`: the descriptors of the server's services, for clients
//! without its proto files.
//!
//! A response with a file also has all files that it imports. The file itself comes first. A
//! request without an answer gets an error in the response, and the call continues. The error is
//! NOT_FOUND, or INVALID_ARGUMENT for an unknown kind of request.

use std::sync::Arc;

use futures::TryStreamExt;
use grpcio::RpcStatusCode;
use grpcio_streams::{Requests, ServiceBuilder};
use protobuf::reflect::FileDescriptor;
use protobuf::{Message, MessageField};

use crate::descriptors::{with_imports, Descriptors};
use crate::generated::grpc_reflection_v1::server_reflection_request::Message_request as Question;
use crate::generated::grpc_reflection_v1::server_reflection_response::Message_response as Answer;
use crate::generated::grpc_reflection_v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};

/// The two versions differ only in the package of their messages, which is not sent.
const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Adds both versions, which answer from `all`.
#[must_use]
pub(crate) fn add(builder: ServiceBuilder, all: Descriptors) -> ServiceBuilder {
    let all = Arc::new(all);
    PATHS.into_iter().fold(builder, |builder, path| {
        let all = all.clone();
        builder.duplex(path, move |_, requests: Requests<_>| {
            let all = all.clone();
            requests.map_ok(move |request| respond(&all, request))
        })
    })
}

/// Why there is no answer.
type Missing = (RpcStatusCode, String);

fn respond(all: &Descriptors, request: ServerReflectionRequest) -> ServerReflectionResponse {
    let answer = match &request.message_request {
        Some(question) => answer(all, question),
        None => {
            let why = "this server does not know this kind of request";
            Err((RpcStatusCode::INVALID_ARGUMENT, why.to_owned()))
        }
    };
    let answer = answer.unwrap_or_else(|(code, error_message)| {
        Answer::ErrorResponse(ErrorResponse {
            error_code: code.into(),
            error_message,
            ..Default::default()
        })
    });
    ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: MessageField::some(request),
        message_response: Some(answer),
        ..Default::default()
    }
}

fn answer(all: &Descriptors, question: &Question) -> Result<Answer, Missing> {
    match question {
        Question::FileByFilename(name) => file(all.named(name), "file of that name"),
        Question::FileContainingSymbol(name) => {
            file(all.declaring(name), "symbol of that full name")
        }
        Question::FileContainingExtension(e) => file(
            all.extending(&e.containing_type, e.extension_number),
            "such extension",
        ),
        Question::AllExtensionNumbersOfType(name) => {
            let numbers = all.extensions(name);
            Ok(Answer::AllExtensionNumbersResponse(
                ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers
                        .ok_or_else(|| missing("message of that full name"))?,
                    ..Default::default()
                },
            ))
        }
        Question::ListServices(_) => {
            let service = |name: &String| ServiceResponse {
                name: name.clone(),
                ..Default::default()
            };
            Ok(Answer::ListServicesResponse(ListServiceResponse {
                service: all.services().iter().map(service).collect(),
                ..Default::default()
            }))
        }
    }
}

/// An answer with a file and all files that it imports. Clients expect the file itself first.
fn file(file: Option<&FileDescriptor>, what: &str) -> Result<Answer, Missing> {
    let files = with_imports(file.ok_or_else(|| missing(what))?);
    let encoded = files.iter().map(|file| file.proto().write_to_bytes());
    let encoded = encoded.collect::<Result<_, _>>();
    Ok(Answer::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto: encoded.map_err(|e| (RpcStatusCode::INTERNAL, e.to_string()))?,
        ..Default::default()
    }))
}

fn missing(what: &str) -> Missing {
    (
        RpcStatusCode::NOT_FOUND,
        format!("this server has no {what}"),
    )
}

#[cfg(test)]
mod tests {
    use crate::generated::{grpc_reflection_v1, grpc_reflection_v1alpha};

    #[test]
    fn both_versions_are_the_same_on_the_wire() {
        let [v1, v1alpha] = [
            grpc_reflection_v1::file_descriptor(),
            grpc_reflection_v1alpha::file_descriptor(),
        ]
        .map(|file| {
            let mut proto = file.proto().clone();
            proto.source_code_info.clear();
            proto.to_string()
        });
        assert_ne!(v1, v1alpha);
        let alpha = |text: &str| text.replace("v1alpha", "v1");
        assert_eq!(v1, alpha(&v1alpha));
    }
}
