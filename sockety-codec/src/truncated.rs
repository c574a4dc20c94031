use thiserror::Error;

use crate::ChannelId;

/// The input ended in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Truncated {
    /// The peer's connection header had not arrived whole.
    #[error("the input ended before the connection header was whole")]
    ConnectionHeader,
    /// A packet had begun, but not said what it is.
    #[error("the input ended in the first bytes of a packet")]
    Packet,
    /// The header of a message or response was incomplete.
    #[error("the input ended in a header on channel {channel}")]
    Head {
        /// The first channel with an incomplete header.
        channel: ChannelId,
    },
    /// Content of a message or response was still to come.
    #[error("the input ended before all content on channel {channel} had arrived")]
    Content {
        /// The first channel with content to come.
        channel: ChannelId,
    },
}
