//! How much of the server a client may use: the limits of calls and of connections, clients that
//! vanish, a crowd of uploads, and attacks.

mod attacks;
mod calls;
mod connections;
mod crowd;
mod vanished;
