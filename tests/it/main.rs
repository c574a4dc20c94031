//! Integration tests.

mod support;

mod abort;
mod accept;
mod addresses;
mod carry_macro;
mod connection_end;
mod fairness;
mod files;
mod handshake;
mod limits;
mod messages;
mod msgpack;
mod multiplexing;
mod product;
mod protocol;
mod replies;
mod saving;
mod server;
mod service;
mod service_hygiene;
mod slow_readers;
mod streams;
mod tls;
mod unix;
mod vectors;
