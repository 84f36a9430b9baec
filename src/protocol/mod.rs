//! What calls carry beside the messages. Each module has the encoding and the decoding of one
//! thing.
//!
//! | module | what it is |
//! |---|---|
//! | [`message`] | the messages |
//! | [`method`] | the paths of the three methods, and whether each reads or writes a topic |
//! | [`request`] | the request metadata of a call on a topic |
//! | [`position`] | the response metadata: the position of the first message of a stream |
//! | [`receipt`] | the answer to a PutStream on a topic |
//! | [`reason`] | why a call on a topic ended, in the details of its status |
//!
//! `docs/protocol.md` describes the protocol for programs in any language.

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
