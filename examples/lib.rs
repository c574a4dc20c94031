//! Examples, each run by `cargo run --example NAME`; see `README.md` in this folder.

/// Compiles and runs what the README of the repository shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
