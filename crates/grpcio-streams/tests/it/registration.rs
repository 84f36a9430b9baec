//! Mistakes in the paths of a service, which the binding accepts silently.

use std::collections::HashSet;

use grpcio_streams::{BuildError, Drain, ServiceBuilder};
use protobuf::well_known_types::wrappers::StringValue;

fn service(paths: &[&'static str]) -> ServiceBuilder {
    let builder = ServiceBuilder::new(&Drain::new());
    paths.iter().fold(builder, |builder, path| {
        builder.unary(path, |_, request: StringValue| async { Ok(request) })
    })
}

fn error(paths: &[&'static str]) -> BuildError {
    match service(paths).build() {
        Ok(_) => panic!("{paths:?} were accepted"),
        Err(error) => error,
    }
}

#[test]
fn a_malformed_path_is_an_error() {
    for path in ["/a", "a/b", "//b", "/a/", "/a/b/c", "/a/b c", "/a/ß", ""] {
        let error = error(&["/test.Test/Good", path]);
        assert!(
            matches!(error, BuildError::MalformedPath { path: at, .. } if at == path),
            "{path}: {error}"
        );
        let shown = error.to_string();
        assert!(shown.contains(&format!("{path:?}")), "{shown}");
        assert!(shown.contains("/package.Service/Method"), "{shown}");
    }
}

/// The binding would keep the handler that was added last.
#[test]
fn a_path_with_two_handlers_is_an_error() {
    let twice = ["/test.Test/A", "/test.Test/B", "/test.Test/A"];
    let error = error(&twice);
    let path = "/test.Test/A";
    assert_eq!(error, BuildError::DuplicatePath { path });
}

#[test]
fn the_paths_of_several_services_can_be_compared() {
    let first = service(&["/test.Test/B", "/test.Test/A"]);
    let second = service(&["/test.Other/A", "/test.Test/A"]);
    assert_eq!(first.paths(), ["/test.Test/B", "/test.Test/A"]);
    let both = [first.paths(), second.paths()].concat();
    let mut seen = HashSet::new();
    let twice: Vec<_> = both.iter().filter(|path| !seen.insert(**path)).collect();
    assert_eq!(twice, [&"/test.Test/A"]);
    assert!(first.build().is_ok() && second.build().is_ok());
}
