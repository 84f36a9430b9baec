//! Mistakes in the paths of a service.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;

/// Why a [`ServiceBuilder`](crate::ServiceBuilder) cannot build its service.
///
/// The binding accepts all of these silently. Clients that use the path of the proto file would
/// then get UNIMPLEMENTED, and of two handlers with the same path, the one that was added last
/// would serve all calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A path is not the path of a gRPC method.
    MalformedPath {
        /// The path as it was registered.
        path: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A path has two handlers.
    DuplicatePath {
        /// The path that both have.
        path: &'static str,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedPath { path, problem } => write!(
                f,
                "the path {path:?} {problem}; write it as /package.Service/Method, with the names \
                 of the proto file"
            ),
            Self::DuplicatePath { path } => write!(
                f,
                "the path {path:?} has two handlers; remove one of them or correct its path"
            ),
        }
    }
}

impl Error for BuildError {}

/// Checks all paths of a service, in the order in which they were added.
pub(super) fn check(paths: &[&'static str]) -> Result<(), BuildError> {
    let mut seen = HashSet::new();
    for path in paths {
        if let Some(problem) = problem(path) {
            return Err(BuildError::MalformedPath { path, problem });
        }
        if !seen.insert(path) {
            return Err(BuildError::DuplicatePath { path });
        }
    }
    Ok(())
}

/// What is wrong with `path`, if anything. A path is `/Service-Name/method`
/// (gRPC's `PROTOCOL-HTTP2.md`), and each part consists of characters that a segment of a URI's
/// path may have (RFC 3986, `pchar`). Percent signs are excluded because gRPC compares paths
/// without decoding them.
fn problem(path: &str) -> Option<&'static str> {
    let Some(path) = path.strip_prefix('/') else {
        return Some("does not begin with a slash");
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(c);
    match path.split('/').collect::<Vec<_>>()[..] {
        ["", ..] => Some("does not name a service"),
        [_] | [_, ""] => Some("does not name a method"),
        [service, method] if service.chars().chain(method.chars()).all(allowed) => None,
        [_, _] => Some("has a character that a path cannot have"),
        _ => Some("has more than two parts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_service_and_a_method() {
        for path in ["/Greeter/GetStream", "/a.b.C/D", "/_/x9", "/a-b~c/d:e@f"] {
            assert_eq!(check(&[path]), Ok(()), "{path}");
        }
        for (path, expected) in [
            ("", "does not begin with a slash"),
            ("a/b", "does not begin with a slash"),
            ("Greeter", "does not begin with a slash"),
            ("/", "does not name a service"),
            ("//b", "does not name a service"),
            ("//", "does not name a service"),
            ("/a", "does not name a method"),
            ("/a/", "does not name a method"),
            ("/a/b/", "has more than two parts"),
            ("/a/b/c", "has more than two parts"),
            ("/a//b", "has more than two parts"),
            ("/a/b c", "has a character that a path cannot have"),
            ("/a/b\n", "has a character that a path cannot have"),
            ("/a/b\0", "has a character that a path cannot have"),
            ("/a/b?c", "has a character that a path cannot have"),
            ("/a/b#c", "has a character that a path cannot have"),
            ("/a/%62", "has a character that a path cannot have"),
            ("/a/größe", "has a character that a path cannot have"),
        ] {
            let error = check(&["/a/b", path]).expect_err(path);
            let BuildError::MalformedPath { path: at, problem } = error else {
                panic!("{path}: {error}");
            };
            assert_eq!((at, problem), (path, expected));
        }
    }

    #[test]
    fn an_error_names_the_path_and_the_remedy() {
        let malformed = check(&["/a/b\n"]).expect_err("malformed");
        assert_eq!(
            malformed.to_string(),
            "the path \"/a/b\\n\" has a character that a path cannot have; write it as \
             /package.Service/Method, with the names of the proto file"
        );
        let duplicate = check(&["/a/b", "/a/c", "/a/b"]).expect_err("twice");
        assert_eq!(
            duplicate.to_string(),
            "the path \"/a/b\" has two handlers; remove one of them or correct its path"
        );
    }
}
