//! The Sockety wire protocol.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod channel_id;
pub use channel_id::ChannelId;

mod channel_count;
pub use channel_count::ChannelCount;

mod file_index;
pub use file_index::FileIndex;

mod reply_code;
pub use reply_code::ReplyCode;

pub use uuid::Uuid;

mod connection_header;
pub use connection_header::ConnectionHeader;

mod head;
pub use head::{FileHeader, FilesSummary, MessageHead, ResponseHead};

mod decoder;
pub use decoder::Decoder;

mod event;
pub use event::Event;

mod limits;
pub use limits::Limits;

mod refusal;
pub use refusal::{Measure, Refusal, RefusalReason};

mod violation;
pub use violation::Violation;

mod truncated;
pub use truncated::Truncated;

mod tolerated;
pub use tolerated::Tolerated;

mod encoder;
pub use encoder::{Encoder, encode_message};

mod usage_error;
pub use usage_error::UsageError;

pub mod protocol;

mod packet;
mod reader;
mod uint;
#[cfg(test)]
mod work;
