//! What a peer with the extension accepts, as it says itself.

use sockety_codec::{Encoder, FilesSummary, Head, extension::Settings};

use super::State;
use crate::{
    engine::send::{layout::Layout, outbox::Block, parcel::Parcel},
    error::send::SendError,
};

impl State {
    /// Whether the peer accepts a message of this size. What is too large is not sent: the peer would
    /// refuse it after all of it has come.
    // r[impl ext.settings.advisory]
    pub(super) fn check_accepted(
        settings: &Settings,
        parcel: &Parcel<'_>,
    ) -> Result<(), SendError> {
        let size = parcel.payload.len() as u64;
        let length = match parcel.head {
            Head::Message(head) => head.action.len(),
            Head::Response(_) => 0,
        };
        check_payload_and_action(settings, size, length)?;
        // All else in a header without files.
        const REST: u32 = 64;
        let most = REST.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        match parcel.layout.as_deref() {
            None if most <= settings.header_bytes() => Ok(()),
            layout => check_header(settings, parcel, size, layout),
        }
    }

    /// Whether the peer accepts each of these messages.
    pub(super) fn check_all_accepted(settings: &Settings, block: &Block) -> Result<(), SendError> {
        check_payload_and_action(settings, block.payload, block.action)?;
        check_header_size(settings, block.header)
    }
}

fn check_payload_and_action(
    settings: &Settings,
    size: u64,
    length: usize,
) -> Result<(), SendError> {
    let limit = settings.payload();
    if size > limit {
        return Err(SendError::PayloadTooLarge { size, limit });
    }
    let limit = settings.action_bytes();
    if length as u64 > u64::from(limit) {
        return Err(SendError::ActionTooLong { length, limit });
    }
    Ok(())
}

fn check_header_size(settings: &Settings, size: u32) -> Result<(), SendError> {
    let limit = settings.header_bytes();
    match size > limit {
        true => Err(SendError::HeaderTooLarge { size, limit }),
        false => Ok(()),
    }
}

fn check_header(
    settings: &Settings,
    parcel: &Parcel<'_>,
    payload: u64,
    layout: Option<&Layout>,
) -> Result<(), SendError> {
    let files = layout.map(Layout::headers).unwrap_or_default();
    let (count, limit) = (files.len(), settings.files());
    if count as u64 > u64::from(limit) {
        return Err(SendError::TooManyFiles { count, limit });
    }
    let head = parcel
        .head
        .with_payload_size(payload)
        .with_files(FilesSummary::of(&files).unwrap_or_default());
    check_header_size(settings, Encoder::header_size(head, &files)?)
}
