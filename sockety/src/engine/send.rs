//! Sending: the outbox, the tasks that wait for room in it, and the files and streams that are
//! being sent.

pub(crate) mod channels;
pub(crate) mod layout;
pub(crate) mod outbox;
pub(crate) mod pacing;
pub(crate) mod parcel;
pub(crate) mod part_writer;
pub(crate) mod payload;
pub(crate) mod queue;
pub(crate) mod transmissions;
pub(crate) mod wait_queue;
pub(crate) mod writing;
