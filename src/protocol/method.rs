//! The three methods of `Greeter`.

/// The path of GetStream: one request, a stream of responses.
pub const GET_STREAM: &str = "/Greeter/GetStream";
/// The path of PutStream: a stream of requests, one response.
pub const PUT_STREAM: &str = "/Greeter/PutStream";
/// The path of AllStream: streams both ways.
pub const ALL_STREAM: &str = "/Greeter/AllStream";

/// A method of `Greeter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GetStream.
    Get,
    /// PutStream.
    Put,
    /// AllStream.
    All,
}

impl Method {
    /// The method of this path; None if `Greeter` does not have it.
    pub fn of_path(path: &str) -> Option<Self> {
        match path {
            GET_STREAM => Some(Self::Get),
            PUT_STREAM => Some(Self::Put),
            ALL_STREAM => Some(Self::All),
            _ => None,
        }
    }

    /// The path of the method.
    pub fn path(self) -> &'static str {
        match self {
            Self::Get => GET_STREAM,
            Self::Put => PUT_STREAM,
            Self::All => ALL_STREAM,
        }
    }

    /// Whether the method reads the topic that the call names.
    pub fn reads(self) -> bool {
        self != Self::Put
    }

    /// Whether the method writes to the topic that the call names.
    pub fn writes(self) -> bool {
        self != Self::Get
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_its_methods() {
        for method in [Method::Get, Method::Put, Method::All] {
            assert_eq!(Method::of_path(method.path()), Some(method));
        }
        assert_eq!(Method::of_path("/grpc.health.v1.Health/Check"), None);
    }
}
