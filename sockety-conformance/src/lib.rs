//! Checks any implementation of the Sockety protocol, rule by rule, with bytes written by hand. The README says how to run it,
//! and what an endpoint has to provide.
//!
//! A library for its own program and tests alone. In reading order: bytes, connections, cases, and what runs and reports them.

pub mod arguments;
pub mod case;
pub mod cases;
pub mod interop;
pub mod outcome;
pub mod peer;
pub mod received;
pub mod report;
pub mod rules;
pub mod run;
pub mod target;
pub mod trial;
pub mod wire;
