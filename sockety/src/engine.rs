//! What runs below a connection: bytes, channels, positions, leases. It knows no handle, no service
//! and no client.

pub(crate) mod account;
pub(crate) mod answered;
pub(crate) mod attempt;
pub(crate) mod auth_state;
pub(crate) mod call_clock;
pub(crate) mod clocks;
pub(crate) mod common;
pub(crate) mod driver;
pub(crate) mod holders;
pub(crate) mod late_replies;
pub(crate) mod lease;
pub(crate) mod measured;
pub(crate) mod memory;
pub(crate) mod payload_reservation;
pub(crate) mod peer;
pub(crate) mod pending;
pub(crate) mod pending_reply;
pub(crate) mod receive;
pub(crate) mod record;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod ticks;
pub(crate) mod transfer;
pub(crate) mod wake_list;
pub(crate) mod warnings;
