//! What the C cores do differently with what is malformed or hostile. A test that meets a difference
//! looks it up here.

use grpcio::RpcStatusCode;
use grpcio_streams::CORE_VERSION;

/// How a core behaves.
pub struct Core {
    /// The status of a call without a header that HTTP/2 or gRPC requires, or whose method is that of
    /// another request. None if the call is reset.
    pub incomplete: Option<RpcStatusCode>,
    /// The status of a call whose method, scheme or `te` are of no request.
    pub foreign: RpcStatusCode,
    /// The status of a call with a header that cannot be parsed.
    pub malformed: RpcStatusCode,
    /// The status of a call with the content type of something else.
    pub other_content: RpcStatusCode,
    /// The status of a call with a good header from the connection's table of headers, which came there
    /// behind a malformed header of another call.
    pub behind_malformed: RpcStatusCode,
    /// Whether a connection lives on where SETTINGS are acknowledged that were never sent.
    pub lives_after_unasked_acknowledgements: bool,
    /// Whether a connection lives on that sends empty frames of DATA or CONTINUATION.
    pub lives_after_empty_frames: bool,
    /// Whether the core itself refuses calls beyond the limit of a connection that has not
    /// acknowledged the limit.
    pub limits_before_settings: bool,
    /// Whether the status of each call with too much metadata says so. 1.85 is silent about 100,000
    /// headers.
    pub always_names_the_metadata: bool,
    /// Whether channelz has the number of the events of a channel.
    pub counts_events: bool,
    /// Whether the window of a stream is what the server's limits make it. Otherwise it is 64 KiB.
    pub sets_windows: bool,
    /// Whether the process lives on when a client shows a certificate that is trusted and whose names
    /// cannot be read.
    pub lives_after_malformed_names: bool,
}

const BUNDLED: Core = Core {
    incomplete: Some(RpcStatusCode::UNKNOWN),
    foreign: RpcStatusCode::UNKNOWN,
    malformed: RpcStatusCode::CANCELLED,
    other_content: RpcStatusCode::CANCELLED,
    behind_malformed: RpcStatusCode::CANCELLED,
    lives_after_unasked_acknowledgements: true,
    lives_after_empty_frames: true,
    limits_before_settings: false,
    always_names_the_metadata: true,
    counts_events: true,
    sets_windows: false,
    lives_after_malformed_names: false,
};

/// 1.85, and what is tried of others.
const CURRENT: Core = Core {
    incomplete: None,
    foreign: RpcStatusCode::INTERNAL,
    malformed: RpcStatusCode::INTERNAL,
    other_content: RpcStatusCode::OK,
    behind_malformed: RpcStatusCode::OK,
    lives_after_unasked_acknowledgements: false,
    lives_after_empty_frames: false,
    limits_before_settings: true,
    always_names_the_metadata: false,
    counts_events: false,
    sets_windows: true,
    lives_after_malformed_names: true,
};

/// The core of this build.
pub fn core() -> &'static Core {
    if CORE_VERSION.starts_with("1.56.") {
        &BUNDLED
    } else {
        &CURRENT
    }
}
