//! The typed calling side.

pub(crate) mod call;
pub(crate) mod call_draft;
pub(crate) mod connect;
pub(crate) mod describe;
pub(crate) mod exchange;
pub(crate) mod pass;
pub(crate) mod pass_draft;
pub(crate) mod reconnecting;
pub(crate) mod reply;
pub(crate) mod way;
