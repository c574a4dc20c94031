//! Flow control of content, as arithmetic: no clock, no socket, no bytes.
//!
//! The content of files and streams is sent only as far as its receiver allows: *credit*.
//! [`Sending`] is what one side knows about the content that it sends, [`Receiving`] what it knows
//! about the content that it receives. A connection has one of each, which may be made when the first
//! content is announced or, at the sender, the first Flow packet is read. Payloads, headers and all
//! other packets need no credit.
//!
//! Three numbers bound what a part of a message may send:
//!
//! | number | bounds | raised by |
//! |---|---|---|
//! | the *window* of the message | the bytes of its parts beyond their limits, together | nothing: it is fixed |
//! | the *limit* of the part | its bytes that do not count to that window | [`FlowEntry::Part`](crate::FlowEntry::Part), [`FilesBelow`](crate::FlowEntry::FilesBelow) |
//! | the limit of the connection | the content of all messages since its beginning | [`FlowEntry::Connection`](crate::FlowEntry::Connection) |
//!
//! Limits are absolute and only grow. What the receiver grants is a function of what is unread at
//! that moment, not a balance: there is nothing that could leak, and a late entry heals with the
//! next.
//!
//! A part whose reader waits receives a *lifeline* when the limit of the connection is used up:
//! 4,096 bytes that do not count to it. Without it, a reader could wait for another one for ever.
//!
//! # Who calls what
//!
//! Messages are named by their [number](crate::FlowEntry). Those without files and without a stream
//! need none of this: [`Sending::begin`] and [`Receiving::begin`] ignore them. All other methods ignore
//! numbers that they do not know; only content counts to the limit of the connection in any case.
//!
//! | at the sender | call | then |
//! |---|---|---|
//! | the peer's Settings were read | [`Sending::open`] | send what [`Sending::next_ready`] returns |
//! | a header with files or a stream was written | [`Sending::begin`] | |
//! | it is the turn of a part | [`Sending::may_send`] | send as much as that, or take the part out of the turns |
//! | content was written | [`Sending::sent`] | |
//! | a Stream End or File End was written | [`Sending::end`] | |
//! | an Abort was written | [`Sending::over`] | |
//! | a Flow packet was read | [`Sending::packet`], [`Sending::apply`] for each entry | obey the [`Effect`]; send what [`Sending::next_ready`] returns |
//!
//! | at the receiver | call | then |
//! |---|---|---|
//! | a header with files or a stream was read | [`Receiving::begin`] | |
//! | content was read | [`Receiving::received`], before a reader can see it | drop it, or hand it on |
//! | content was read and dropped, as its message was refused | [`Receiving::dropped`] | |
//! | a reader took content | [`Receiving::taken`] | wake the driver if `true` |
//! | a reader found nothing to read and waits | [`Receiving::waits`] | wake the driver if `true` |
//! | a reader was dropped | [`Receiving::stop`] | wake the driver if `true` |
//! | what still comes of a part is not wanted | [`Receiving::refuse`] | wake the driver if `true` |
//! | what still comes of a message is not wanted | [`Receiving::stop_message`] | wake the driver if `true` |
//! | a Stream End or File End was read | [`Receiving::end`] | |
//! | an Abort was read | [`Receiving::over`] | |
//! | the driver has read what there was, and is about to write or to sleep | [`Receiving::due`] | write the entries |
//!
//! The driver needs no wake for what it does itself: it ends each round with [`Receiving::due`].
//! Nothing is queued: entries are computed when they are written.
//!
//! # States
//!
//! A part at its sender is *open*, then *ended*. While it is open, it is *blocked* if it has asked
//! for credit in vain: by its message or by the connection. A part that has ended still counts to
//! the window of its message until its limit has reached its size.
//!
//! A part at its receiver is *open*, then *ended*; from either state its reader may be dropped. If it
//! is open then, it is *stopped*: what still comes is dropped, and counts to the limit of the
//! connection only.
//!
//! # Memory
//!
//! A sender holds 96 bytes for each message with content and 32 for each of its parts up to the last that
//! has begun, a receiver 160 and 40. Records of leading files go as soon as nothing can change them any
//! more, and all others with their message.

mod line;
mod numbers;
mod parts;

mod sending;
pub use sending::{Blocked, Effect, Sending};

mod receiving;
pub use receiving::{Due, Fate, Pressure, Receiving, Round, Windows};

#[cfg(test)]
mod tests;

/// Bytes that a lifeline allows, and the least that a starving reader is granted.
pub const LIFELINE: u64 = 4_096;
