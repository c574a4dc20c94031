use sockety::service;

/// Holds clips.
#[service]
pub struct Store;

fn main() {}
