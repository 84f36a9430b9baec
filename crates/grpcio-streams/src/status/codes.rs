//! A constructor for each status code. The meanings are those of gRPC's
//! [table of statuses](https://grpc.github.io/grpc/core/md_doc_statuscodes.html).

use grpcio::RpcStatusCode;

use super::Status;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident, $code:ident;)+) => {
        impl Status {
            $(
                $(#[$doc])*
                pub fn $name(message: impl Into<String>) -> Self {
                    Self::new(RpcStatusCode::$code, message)
                }
            )+
        }
    };
}

constructors! {
    /// CANCELLED: the call was cancelled, usually by the client.
    cancelled, CANCELLED;
    /// UNKNOWN: an error whose kind is not known.
    unknown, UNKNOWN;
    /// INVALID_ARGUMENT: the request is wrong, whatever the state of the server.
    invalid_argument, INVALID_ARGUMENT;
    /// DEADLINE_EXCEEDED: the time for the call passed before it was complete.
    deadline_exceeded, DEADLINE_EXCEEDED;
    /// NOT_FOUND: what the request names does not exist.
    not_found, NOT_FOUND;
    /// ALREADY_EXISTS: what the request would create exists already.
    already_exists, ALREADY_EXISTS;
    /// PERMISSION_DENIED: the caller is known and may not do this.
    permission_denied, PERMISSION_DENIED;
    /// RESOURCE_EXHAUSTED: a quota, a limit or the space is used up.
    resource_exhausted, RESOURCE_EXHAUSTED;
    /// FAILED_PRECONDITION: the server is not in the state that the request needs. Trying again
    /// does not help before the state has changed.
    failed_precondition, FAILED_PRECONDITION;
    /// ABORTED: a conflict with another call. The client may try the whole operation again.
    aborted, ABORTED;
    /// OUT_OF_RANGE: a position before the beginning or after the end.
    out_of_range, OUT_OF_RANGE;
    /// UNIMPLEMENTED: the server does not have or support this operation.
    unimplemented, UNIMPLEMENTED;
    /// INTERNAL: an error of the server, which the client can do nothing about.
    internal, INTERNAL;
    /// UNAVAILABLE: the server cannot take the call at the moment. The client may try again.
    unavailable, UNAVAILABLE;
    /// DATA_LOSS: data is lost or damaged for good.
    data_loss, DATA_LOSS;
    /// UNAUTHENTICATED: the caller has not shown valid credentials.
    unauthenticated, UNAUTHENTICATED;
}

impl Status {
    /// OK: the call ended well.
    pub fn ok() -> Self {
        Self::new(RpcStatusCode::OK, "")
    }

    /// UNAVAILABLE for a server that is shutting down, which tells clients to try again.
    pub fn draining() -> Self {
        Self::unavailable("the server is shutting down; try again, or try another server")
    }
}
