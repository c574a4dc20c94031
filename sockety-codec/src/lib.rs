//! The Sockety wire protocol without I/O: bytes to events and back.
//!
//! This crate uses no sockets, no tasks and no clock. A runtime passes the bytes that it has read
//! to a [`Decoder`] and acts on the [events](Event). To send, it lets an [`Encoder`] write to a
//! buffer, and sends that. All rules of the [protocol] about which packets are legal at which time
//! are enforced here, so that no other code has to know them.
//!
//! # Examples
//!
//! One side sends a message, the other reads it:
//!
//! ```
//! use sockety_codec::{
//!     ChannelCount, ChannelId, ConnectionHeader, Decoder, Encoder, Event, Limits, MessageHead,
//!     Uuid,
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
//! # Errors
//!
//! | error | caused by | consequence |
//! |---|---|---|
//! | [`Violation`] | the peer | the connection must end |
//! | [`Refusal`] | the peer | one message is dropped, the connection continues |
//! | [`Tolerated`] | the peer | counted, so that the runtime can set a limit |
//! | [`Truncated`] | the network | the input ended before a packet or message was complete |
//! | [`UsageError`] | the caller | nothing was written |
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

pub mod extension;

mod flow;
pub use flow::{FlowEntry, Part};

pub mod credit;

mod encoder;
pub use encoder::{Described, Encoder, encode_message};

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

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
