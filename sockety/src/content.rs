//! Files and streams.

pub(crate) mod byte_stream;
pub(crate) mod carrying;
pub(crate) mod file;
pub(crate) mod received;
pub(crate) mod stream_writer;
pub(crate) mod streaming;
