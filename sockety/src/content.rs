//! Files and streams.

pub(crate) mod byte_stream;
pub(crate) mod carrying;
pub(crate) mod file;
pub(crate) mod pipe;
pub(crate) mod received;
pub(crate) mod stream_pump;
pub(crate) mod stream_sender;
pub(crate) mod stream_writer;
pub(crate) mod streaming;

pub use self::{
    byte_stream::ByteStream,
    file::{
        File,
        partial::sweep_partial_files,
        save::{Save, Saved},
    },
    pipe::PipeWriter,
    stream_sender::StreamSender,
    stream_writer::StreamWriter,
    streaming::Streaming,
};
