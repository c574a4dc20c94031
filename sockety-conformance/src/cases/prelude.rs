//! The imports of the sections.

pub(super) use crate::{
    case::Section,
    interop::{self, NOT_IMPLEMENTED, Relay, Told, content, digest},
    outcome::{Outcome, ensure, equal, fail, skip},
    peer::{Peer, Reply, ensure_same},
    trial::Trial,
};
pub(super) use sockety_conformance::wire::{
    fresh_id,
    message::Message,
    packet::{self, Entry, Part},
};
