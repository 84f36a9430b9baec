//! A TCP relay between clients and a server. A test can cut its connections and count what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::http2::frame;

/// A relay, which runs until the test binary ends.
pub struct Relay {
    /// The address that clients connect to.
    pub address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How many DATA frames the server has sent.
    data_frames: AtomicUsize,
    /// Whether the next DATA frame is lost.
    lose_next: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// A relay to the server at this address.
    pub fn to(server: &str) -> Self {
        Self::start(server, Shared::connect)
    }

    /// A relay to a server that is far away: each byte arrives after this time, however many are on their
    /// way. It does not look at frames, so it neither counts nor loses them.
    pub fn far_from(server: &str, one_way: Duration) -> Self {
        Self::start(server, move |shared, client, server| {
            let [(to_server, from_server), (to_client, from_client)] =
                [&server, &client].map(|socket| (clone(socket), clone(socket)));
            shared.sockets.lock().extend([client, server]);
            thread::spawn(move || copy_later(from_client, to_server, one_way));
            thread::spawn(move || copy_later(from_server, to_client, one_way));
        })
    }

    fn start(
        server: &str,
        connect: impl Fn(&Arc<Shared>, TcpStream, TcpStream) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("free port");
        let address = listener.local_addr().expect("bound").to_string();
        let shared = Arc::new(Shared::default());
        let (server, relay) = (server.to_owned(), shared.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(&server) else {
                    return;
                };
                connect(&relay, client, server);
            }
        });
        Self { address, shared }
    }

    /// How many DATA frames the server has sent to all clients together.
    pub fn data_frames(&self) -> usize {
        self.shared.data_frames.load(Ordering::SeqCst)
    }

    /// Waits until the server has sent nothing for 200 ms.
    pub fn until_quiet(&self) {
        let mut before = usize::MAX;
        while before != self.data_frames() {
            before = self.data_frames();
            thread::park_timeout(Duration::from_millis(200));
        }
    }

    /// Ends the connection on which the server sends its next DATA frame, and does not pass on that
    /// frame.
    pub fn lose_next_data_frame(&self) {
        self.shared.lose_next.store(true, Ordering::SeqCst);
    }

    /// Ends every connection, as a network that fails does.
    pub fn cut(&self) {
        for socket in self.shared.sockets.lock().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let mut sockets = self.sockets.lock();
        sockets.extend([clone(&client), clone(&server)]);
        let (from, to) = (clone(&client), clone(&server));
        thread::spawn(move || copy(from, to, |_| true));
        let shared = self.clone();
        thread::spawn(move || {
            let mut frames = Frames::default();
            copy(server, client, |bytes| {
                let count = frames.count_data(bytes);
                shared.data_frames.fetch_add(count, Ordering::SeqCst);
                count == 0 || !shared.lose_next.swap(false, Ordering::SeqCst)
            });
        });
    }
}

fn clone(socket: &TcpStream) -> TcpStream {
    socket.try_clone().expect("clone")
}

/// Copies bytes, each `delay` after it was read. Then it ends both directions.
fn copy_later(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now(), buffer[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    for (at, bytes) in receiver {
        thread::sleep((at + delay).saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Copies bytes as long as `passes` returns true for them. Then it ends both directions.
fn copy(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if !passes(&buffer[..n]) || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Finds the frames in the bytes of a server. A frame begins with its length (3 bytes), type (1),
/// flags (1) and stream (4) (RFC 9113, section 4.1).
#[derive(Default)]
struct Frames {
    header: Vec<u8>,
    payload_left: usize,
}

impl Frames {
    fn count_data(&mut self, mut bytes: &[u8]) -> usize {
        let mut count = 0;
        while !bytes.is_empty() {
            let skipped = self.payload_left.min(bytes.len());
            self.payload_left -= skipped;
            bytes = &bytes[skipped..];
            let wanted = (frame::HEADER_BYTES - self.header.len()).min(bytes.len());
            self.header.extend(&bytes[..wanted]);
            bytes = &bytes[wanted..];
            if let [a, b, c, kind, ..] = self.header[..] {
                if self.header.len() == frame::HEADER_BYTES {
                    self.payload_left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                    count += usize::from(kind == frame::DATA && self.payload_left > 0);
                    self.header.clear();
                }
            }
        }
        count
    }
}
