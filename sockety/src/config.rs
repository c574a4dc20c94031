//! Limits and clocks.

pub(crate) mod options;
pub(crate) mod rate;
pub(crate) mod tcp;
