//! Buffers that are used again.

pub(crate) mod chunks;
pub(crate) mod handlers;
pub(crate) mod payloads;
pub(crate) mod recycled;
pub(crate) mod threads;
