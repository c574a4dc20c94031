//! Integration tests.

mod support;

mod abort;
mod accept;
mod addresses;
mod authorize;
mod carry_macro;
mod connection_end;
mod fairness;
mod files;
mod handshake;
mod large_buffers;
mod layers;
mod life;
mod limits;
mod messages;
mod middleware;
mod msgpack;
mod multiplexing;
mod observed;
mod outcomes;
mod product;
mod protocol;
mod quiet;
mod reconnecting;
mod replies;
mod saving;
mod server;
mod service;
mod service_hygiene;
mod slow_readers;
mod streams;
mod threats;
mod tls;
mod unix;
mod vectors;
