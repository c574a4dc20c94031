//! The bytes of the Sockety protocol, for the conformance suite and its tests.
//!
//! The suite itself is the program of this package. The README says how to run it, and what an
//! endpoint has to provide.

pub mod wire;
