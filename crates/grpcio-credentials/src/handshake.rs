//! A TLS handshake in memory, without a network.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, MidHandshakeSslStream, Ssl, SslContext, SslStream};
use openssl::x509::X509VerifyResult;

/// Why a handshake failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The two sides have nothing in common, or one of them cannot be set up.
    Handshake(ErrorStack),
    /// One side does not accept the certificate of the other.
    Certificate(X509VerifyResult),
}

/// Has a client and a server complete a handshake.
pub(crate) fn handshake(client: &SslContext, server: &SslContext) -> Result<(), Failed> {
    let [to_client, to_server] = [Pipe::default(), Pipe::default()];
    let client = Ssl::new(client)?.connect(End {
        from: to_client.clone(),
        to: to_server.clone(),
    });
    let server = Ssl::new(server)?.accept(End {
        from: to_server,
        to: to_client,
    });
    let mut sides = [Side::of(client)?, Side::of(server)?];
    // Each round ends, because neither side waits inside it. A failure ends both sides.
    while !sides.iter().all(|side| matches!(side, Side::Done)) {
        let [client, server] = sides;
        sides = [client.next()?, server.next()?];
    }
    Ok(())
}

/// One side of a handshake.
enum Side {
    Waits(MidHandshakeSslStream<End>),
    Done,
}

impl Side {
    fn of(result: Result<SslStream<End>, HandshakeError<End>>) -> Result<Self, Failed> {
        match result {
            Ok(_) => Ok(Self::Done),
            Err(HandshakeError::WouldBlock(waits)) => Ok(Self::Waits(waits)),
            Err(HandshakeError::SetupFailure(e)) => Err(Failed::Handshake(e)),
            Err(HandshakeError::Failure(failed)) => Err(match failed.ssl().verify_result() {
                X509VerifyResult::OK => {
                    let said = failed.error().ssl_error().cloned();
                    Failed::Handshake(said.unwrap_or_else(ErrorStack::get))
                }
                refused => Failed::Certificate(refused),
            }),
        }
    }

    fn next(self) -> Result<Self, Failed> {
        match self {
            Self::Waits(side) => Self::of(side.handshake()),
            Self::Done => Ok(Self::Done),
        }
    }
}

impl From<ErrorStack> for Failed {
    fn from(e: ErrorStack) -> Self {
        Self::Handshake(e)
    }
}

/// Bytes on their way in one direction.
type Pipe = Rc<RefCell<VecDeque<u8>>>;

/// One end of a connection in memory.
#[derive(Debug)]
struct End {
    from: Pipe,
    to: Pipe,
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.from.borrow_mut().read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
