//! What is put into the outbox, and where it lies there.

use sockety_codec::{Head, Uuid};

use super::{layout::Layout, outbox::Place, payload::Payload, wait_queue::Line};
use crate::{
    engine::{inherited::Along, pending::ReplyClock},
    metadata::{Metadata, RetryAfter},
};

/// A message or a response that is ready to be queued.
pub(crate) struct Parcel<'a> {
    /// Sizes, files and stream are filled in when it is queued.
    pub(crate) head: Head<'a>,
    pub(crate) payload: Payload<'a>,
    /// Its files and stream. Without any, the message is whole in itself and needs no channel.
    pub(crate) layout: Option<&'a mut Layout>,
    /// How long a reply is waited for, if one is expected.
    pub(crate) clock: ReplyClock,
    /// What goes before it to a peer that has the extension.
    pub(crate) along: Option<&'a Along>,
    pub(crate) metadata: Option<&'a Metadata>,
    /// What an answer says about another attempt.
    pub(crate) retry: Option<RetryAfter>,
}

impl Parcel<'_> {
    /// Where it waits for room.
    #[inline]
    pub(crate) fn line(&self) -> Line {
        match (&self.head, &self.layout) {
            (Head::Message(_), None) => Line::Message,
            (Head::Message(_), Some(_)) => Line::CarryingMessage,
            (Head::Response(_), None) => Line::Response,
            (Head::Response(_), Some(_)) => Line::CarryingResponse,
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> Uuid {
        match &self.head {
            Head::Message(head) => head.id,
            Head::Response(head) => head.id,
        }
    }

    /// The message that it answers, if it does.
    pub(crate) fn parent(&self) -> Option<Uuid> {
        match &self.head {
            Head::Message(_) => None,
            Head::Response(head) => Some(head.parent),
        }
    }

    #[inline]
    pub(crate) fn expects_response(&self) -> bool {
        match &self.head {
            Head::Message(head) => head.expects_response,
            Head::Response(head) => head.expects_response,
        }
    }
}

/// Where a message lies among all bytes of its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Submitted {
    pub(crate) start: Place,
    /// The position after what was queued at once: all of the message, unless parts of it follow.
    pub(crate) end: u64,
    /// Names its transmission, if it has files or a stream.
    pub(crate) transmission: Option<u64>,
}
