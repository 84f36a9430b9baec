//! How much of the server a client may use: the limits of calls and of connections, clients that
//! vanish, and attacks.

mod attacks;
mod calls;
mod connections;
mod vanished;
