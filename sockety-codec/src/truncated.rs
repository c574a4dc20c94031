use thiserror::Error;

use crate::ChannelId;

/// The input ended in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Truncated {
    /// The peer's connection header was incomplete.
    #[error("input ended in the connection header")]
    ConnectionHeader,
    /// A packet was incomplete before its content.
    #[error("input ended in the first bytes of a packet")]
    Packet,
    /// The header of a message or response was incomplete.
    #[error("input ended in a header on channel {channel}")]
    Head {
        /// The first channel with an incomplete header.
        channel: ChannelId,
    },
    /// Content of a message or response was missing.
    #[error("input ended before all content on channel {channel} had arrived")]
    Content {
        /// The first channel with missing content.
        channel: ChannelId,
    },
}
