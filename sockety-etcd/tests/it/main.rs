//! Discovery and registration with real processes of etcd: Debian's package `etcd-server`.

#[path = "../support/mod.rs"]
#[expect(unreachable_pub, reason = "shared with unit tests")]
mod support;

mod access;
mod discovery;
mod example;
mod registration;
