//! What crosses the wire beside the messages, each thing once, its encoding beside its decoding.
//!
//! | module | what it is |
//! |---|---|
//! | [`message`] | the messages |
//! | [`method`] | the paths of the three methods, and what each does with a topic |
//! | [`request`] | the request metadata that makes a call one about a topic |
//! | [`position`] | the response metadata: where the first message of a stream is |
//! | [`receipt`] | the answer to a PutStream on a topic |
//! | [`reason`] | why a call on a topic ended, in the details of its status |
//!
//! `docs/protocol.md` describes all of it for users of other languages.

pub mod message;
pub mod method;
pub mod position;
pub mod reason;
pub mod receipt;
pub mod request;

pub use method::{Method, ALL_STREAM, GET_STREAM, PUT_STREAM};
pub use position::Position;
pub use reason::Reason;
pub use receipt::Receipt;
pub use request::Request;
