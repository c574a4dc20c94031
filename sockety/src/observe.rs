//! The names and values that spans and metrics share.

pub(crate) mod observed;
