//! The Sockety wire protocol without I/O: bytes to events and back.
//!
//! This crate knows no sockets, no tasks and no clock. A runtime gives what it has read to a
//! [`Decoder`] and acts on the [events](Event); what it wants to say it lets an [`Encoder`] write
//! to a buffer, and sends that. All rules of the [protocol] about what is legal when are enforced
//! here, so that nobody else must know them.
//!
//! # Examples
//!
//! One side asks, the other reads:
//!
//! ```
//! use sockety_codec::{
//!     ChannelCount, ChannelId, ConnectionHeader, Decoder, Encoder, Event, Limits, MessageHead, Uuid,
//! };
//!
//! let mut wire = Vec::new();
//! ConnectionHeader::new(ChannelCount::MAX).encode(&mut wire);
//! let mut encoder = Encoder::new(ChannelCount::ONE);
//! let id = Uuid::from_u128(0x8a1f_6f0e_0f5c_4c1e_9d7b_6a3c_55aa_0f21);
//! let head = MessageHead::new(id, "greet").expecting_response(true);
//! encoder.whole(&mut wire, ChannelId::ZERO, head, b"hello")?;
//!
//! let mut decoder = Decoder::new(Limits::default());
//! let mut input = wire.as_slice();
//! while let Some(event) = decoder.decode(&mut input)? {
//!     match event {
//!         Event::Header(header) => assert_eq!(header.channels, ChannelCount::MAX),
//!         Event::Message { head, .. } => assert_eq!(head.action, "greet"),
//!         Event::Data { bytes, .. } => assert_eq!(bytes, b"hello"),
//!         event => assert_eq!(event, Event::End { channel: ChannelId::ZERO }),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is wrong, and whose fault it is
//!
//! | error | fault | consequence |
//! |---|---|---|
//! | [`Violation`] | the peer's | the connection cannot go on |
//! | [`Refusal`] | the peer's | one message is dropped, the connection goes on |
//! | [`Tolerated`] | the peer's | counted, for the runtime to set a bound |
//! | [`Truncated`] | the network's | the input ended in the middle of something |
//! | [`UsageError`] | the caller's | nothing was written |
//!
//! Bytes from a peer never make this crate panic, and never make it allocate more than a small
//! multiple of their number: see [`Limits`].
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
pub use head::{FileHeader, FilesSummary, Head, MessageHead, ResponseHead};

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

mod packet_head;
pub use packet_head::{PacketHead, PacketKind};

pub mod protocol;

mod packet;
mod reader;
mod uint;
#[cfg(test)]
mod work;
