//! How connections come about: the links below them, the handshake, and connections in memory.

pub(crate) mod establish;
pub(crate) mod first_byte;
pub(crate) mod handshake;
pub(crate) mod link;
pub(crate) mod local;
