//! Server reflection: clients learn the services and messages without a proto file.

use std::collections::HashSet;

use futures::{stream, TryStreamExt};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_serve::generated::grpc_reflection_v1::server_reflection_request::Message_request as Question;
use grpcio_serve::generated::grpc_reflection_v1::server_reflection_response::Message_response as Answer;
use grpcio_serve::generated::grpc_reflection_v1::{
    ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse,
};
use grpcio_streams::{client::duplex, Status};
use protobuf::descriptor::FileDescriptorProto;
use protobuf::reflect::FileDescriptor;
use protobuf::Message;
use testkit::environment::tool;
use testkit::process::{run, text};
use testkit::raw;
use testkit::server::Server;
use testkit::wait::soon;

use crate::support::server;

/// Both versions have the same messages on the wire.
const VERSIONS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Asks all questions on one call; their answers. Each response must repeat its question.
fn ask(server: &Server, path: &'static str, questions: &[Option<Question>]) -> Vec<Answer> {
    let request = |question: &Option<Question>| ServerReflectionRequest {
        host: "example.com".to_owned(),
        message_request: question.clone(),
        ..Default::default()
    };
    let requests: Vec<_> = questions.iter().map(request).collect();
    let sent = stream::iter(requests.clone().into_iter().map(Ok::<_, Status>));
    let client = raw::client(&server.address);
    let call = duplex(&client, path, sent, CallOption::default()).expect("starts");
    let answers: Vec<ServerReflectionResponse> =
        soon("answers", call.try_collect()).expect("ends with OK");
    assert_eq!(answers.len(), requests.len());
    let answers = answers.into_iter().zip(requests).map(|(answer, request)| {
        assert_eq!(answer.valid_host, "example.com");
        assert_eq!(answer.original_request.as_ref(), Some(&request));
        answer.message_response.expect("an answer")
    });
    answers.collect()
}

fn services(server: &Server, path: &'static str) -> Vec<String> {
    let answers = ask(server, path, &[Some(Question::ListServices(String::new()))]);
    let [Answer::ListServicesResponse(list)] = &answers[..] else {
        panic!("{answers:?}");
    };
    list.service.iter().map(|s| s.name.clone()).collect()
}

/// The files of an answer. The first is the one that was asked for.
fn files(answer: &Answer) -> Vec<FileDescriptorProto> {
    let Answer::FileDescriptorResponse(files) = answer else {
        panic!("{answer:?}");
    };
    let parse = |bytes: &Vec<u8>| FileDescriptorProto::parse_from_bytes(bytes).expect("a file");
    files.file_descriptor_proto.iter().map(parse).collect()
}

#[test]
fn the_services_are_those_that_are_served() {
    let plain = server::start(&[]);
    let more = server::start(&["--channelz"]);
    for path in VERSIONS {
        let expected = [
            "Greeter",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ];
        assert_eq!(services(&plain, path), expected);
        let mut expected = expected.to_vec();
        expected.insert(1, "grpc.channelz.v1.Channelz");
        assert_eq!(services(&more, path), expected);
    }
}

#[test]
fn each_service_can_be_rebuilt_from_its_answer_alone() {
    let server = server::start(&["--channelz"]);
    for path in VERSIONS {
        for service in services(&server, path) {
            let by_symbol = Question::FileContainingSymbol(service.clone());
            let answers = ask(&server, path, &[Some(by_symbol)]);
            let protos = files(&answers[0]);
            let first = protos[0].name().to_owned();
            let by_name = Question::FileByFilename(first.clone());
            assert_eq!(ask(&server, path, &[Some(by_name)]), answers);

            let names: HashSet<_> = protos.iter().map(|p| p.name().to_owned()).collect();
            assert_eq!(names.len(), protos.len(), "no file twice: {service}");
            // Fails where an import is missing or a type is not declared.
            let pool = FileDescriptor::new_dynamic_fds(protos, &[]).expect("complete");
            let file = pool.iter().find(|f| f.name() == first).expect("the first");
            let (package, name) = service.rsplit_once('.').unwrap_or(("", &service));
            assert_eq!(file.package(), package);
            let rebuilt = file.services().find(|s| s.proto().name() == name);
            for method in rebuilt.expect("the service").methods() {
                let (input, output) = (method.input_type(), method.output_type());
                for (text, message) in [
                    (&method.proto().input_type, input),
                    (&method.proto().output_type, output),
                ] {
                    assert_eq!(text.as_deref(), Some(&*format!(".{}", message.full_name())));
                }
            }
        }
    }
}

#[test]
fn well_known_clients_find_the_files_where_they_look() {
    let server = server::start(&["--channelz"]);
    for (file, symbols) in [
        (
            "greeter.proto",
            &[
                "Greeter",
                "Greeter.GetStream",
                "StreamReqData",
                "StreamResData.data",
            ][..],
        ),
        (
            "grpc/health/v1/health.proto",
            &[
                "grpc.health.v1.Health.Watch",
                "grpc.health.v1.HealthCheckResponse.ServingStatus",
            ],
        ),
        (
            "grpc/reflection/v1/reflection.proto",
            &["grpc.reflection.v1.ServerReflection"],
        ),
        (
            "grpc/reflection/v1alpha/reflection.proto",
            &["grpc.reflection.v1alpha.ServerReflection"],
        ),
        (
            "grpc/channelz/v1/channelz.proto",
            &["grpc.channelz.v1.Address.TcpIpAddress"],
        ),
        // The first is imported by channelz, and the second has the details of a status.
        (
            "google/protobuf/timestamp.proto",
            &["google.protobuf.Timestamp"],
        ),
        ("rich_status.proto", &["google.rpc.ErrorInfo"]),
    ] {
        let by_symbol = symbols
            .iter()
            .map(|s| Question::FileContainingSymbol((*s).to_owned()));
        let questions = by_symbol.chain([Question::FileByFilename(file.to_owned())]);
        let questions: Vec<_> = questions.map(Some).collect();
        for answer in ask(&server, VERSIONS[0], &questions) {
            assert_eq!(files(&answer)[0].name(), file);
        }
    }
}

#[test]
fn a_question_without_an_answer_does_not_end_the_call() {
    let server = server::start(&[]);
    let extension = ExtensionRequest {
        containing_type: "StreamReqData".to_owned(),
        extension_number: 1,
        ..Default::default()
    };
    let (not_found, invalid) = (RpcStatusCode::NOT_FOUND, RpcStatusCode::INVALID_ARGUMENT);
    let (questions, codes): (Vec<_>, Vec<_>) = [
        (
            Some(Question::FileByFilename("no.proto".to_owned())),
            not_found,
        ),
        (
            Some(Question::FileContainingSymbol("greeter".to_owned())),
            not_found,
        ),
        // Channelz is off.
        (
            Some(Question::FileContainingSymbol(
                "grpc.channelz.v1.Channelz".to_owned(),
            )),
            not_found,
        ),
        (
            Some(Question::FileContainingExtension(extension)),
            not_found,
        ),
        (
            Some(Question::AllExtensionNumbersOfType("no".to_owned())),
            not_found,
        ),
        (None, invalid),
        (
            Some(Question::FileContainingSymbol("Greeter".to_owned())),
            RpcStatusCode::OK,
        ),
        (
            Some(Question::AllExtensionNumbersOfType(
                "StreamReqData".to_owned(),
            )),
            RpcStatusCode::OK,
        ),
    ]
    .into_iter()
    .unzip();
    for path in VERSIONS {
        let answers = ask(&server, path, &questions);
        let code = |answer: &Answer| match answer {
            Answer::ErrorResponse(error) => RpcStatusCode::from(error.error_code),
            _ => RpcStatusCode::OK,
        };
        assert_eq!(answers.iter().map(code).collect::<Vec<_>>(), codes);
    }
}

#[test]
fn a_thousand_questions_are_answered_in_order() {
    let server = server::start(&[]);
    let names = ["greeter.proto", "grpc/health/v1/health.proto", "no.proto"];
    let question = |n: usize| Some(Question::FileByFilename(names[n % names.len()].to_owned()));
    let questions: Vec<_> = (0..1_000).map(question).collect();
    for answers in ask(&server, VERSIONS[1], &questions).chunks_exact(names.len()) {
        assert_eq!(files(&answers[0])[0].name(), names[0]);
        assert_eq!(files(&answers[1])[0].name(), names[1]);
        assert!(matches!(answers[2], Answer::ErrorResponse(_)));
    }
}

#[test]
fn grpcurl_lists_describes_and_calls_without_a_proto_file() {
    let server = server::start(&["--ticks", "2", "--tick-interval", "10ms"]);
    let grpcurl = |args: &[&str]| {
        let mut grpcurl = tool("GREETER_TEST_GRPCURL");
        let output = run(grpcurl.arg("-plaintext").args(args), b"");
        let said = text(&output.stdout).to_owned() + text(&output.stderr);
        (output.status.code(), said)
    };
    let address = &*server.address;
    let (code, said) = grpcurl(&[address, "list"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said, services(&server, VERSIONS[0]).join("\n") + "\n");

    let (code, said) = grpcurl(&[address, "describe", "Greeter.GetStream"]);
    assert_eq!(code, Some(0), "{said}");
    let signature = "rpc GetStream ( .StreamReqData ) returns ( stream .StreamResData );";
    assert!(said.contains(signature), "{said}");
    // The comment of the proto file.
    assert!(said.contains("// Server streaming: one request"), "{said}");

    let (code, said) = grpcurl(&["-d", r#"{"data": "aaa"}"#, address, "Greeter/GetStream"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("\"data\": \"").count(), 2, "{said}");

    let requests = r#"{"data": "a"} {"data": "b"}"#;
    let (code, said) = grpcurl(&["-d", requests, address, "Greeter/PutStream"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(r#""data": "2""#), "{said}");

    let (code, said) = grpcurl(&[address, "grpc.health.v1.Health/Check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(r#""status": "SERVING""#), "{said}");

    // Reflection describes the details of a status as well.
    let topic = [
        "-H",
        "topic: quotes",
        "-H",
        "from: 7",
        address,
        "Greeter/GetStream",
    ];
    let (_, said) = grpcurl(&topic);
    assert!(said.contains(r#""reason": "NO_SUCH_OFFSET""#), "{said}");
}
