//! Integration tests.

mod support;

mod carry_macro;
mod connection_end;
mod handshake;
mod limits;
mod messages;
mod msgpack;
mod multiplexing;
mod product;
mod protocol;
mod replies;
mod server;
mod service;
mod service_hygiene;
mod vectors;
