//! Errors, one enum per operation, and what is known about the execution of a call that failed.

pub(crate) mod address;
pub(crate) mod call;
pub(crate) mod dynamic;
pub(crate) mod limit;
pub(crate) mod mismatch;
pub(crate) mod outcome;
pub(crate) mod read;
pub(crate) mod remote;
pub(crate) mod service;
pub(crate) mod source;
pub(crate) mod variant;
