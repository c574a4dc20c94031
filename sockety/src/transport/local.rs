//! Connections in memory that stand at once.

use std::sync::Arc;

use sockety_codec::{ConnectionHeader, Decoder};
use tokio::io::DuplexStream;

use crate::{
    connection::Connection,
    engine::{common::Common, driver::Driver, peer::Peer, shared::Shared},
    serve::router::{IntoRouter, Router},
};

/// A connection whose other side serves what it is given, as long as the connection has handles.
pub(crate) fn local(serve: impl IntoRouter) -> Connection {
    let common = Common::default();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let near = begin(near, Router::new(), common.clone());
    let far = begin(far, serve.into_router(), common);
    tokio::spawn(async move { far.closed().await });
    near
}

/// Both sides know each other's connection header: nobody has to wait for it.
fn begin(io: DuplexStream, router: Router, common: Common) -> Connection {
    let (channels, mut header) = (common.options.limits.channels(), Vec::new());
    ConnectionHeader::new(channels).encode(&mut header);
    let mut decoder = Decoder::new(common.options.limits).whole_messages();
    decoder
        .decode(&mut &header[..])
        .expect("our own header is legal");
    let shared = Arc::new(Shared::new(common, Peer::default(), channels));
    let driver = Driver::new(io, Arc::clone(&shared), decoder, Arc::new(router));
    tokio::spawn(driver.run());
    Connection::new(shared)
}
