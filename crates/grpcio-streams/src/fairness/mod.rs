//! Keeps the calls of one completion queue from starving each other.
//!
//! - [`NetworkPause`]: all calls of a queue pause now and then, so that its thread polls the network.
//! - [`SendTurn`]: of the calls of a queue that have a backlog, only a few send at the same time.

mod network_pause;
mod send_turn;

pub(crate) use network_pause::NetworkPause;
pub(crate) use send_turn::SendTurn;
