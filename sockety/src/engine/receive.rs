//! What arrives: messages, their payloads, and the content that waits for readers.

pub(crate) mod abuse;
pub(crate) mod bucket;
pub(crate) mod credit;
pub(crate) mod inbound;
pub(crate) mod intake;
pub(crate) mod kept_messages;
pub(crate) mod parts;
pub(crate) mod payload;
pub(crate) mod request_queue;
pub(crate) mod slot;
pub(crate) mod slow_readers;
pub(crate) mod spill;
