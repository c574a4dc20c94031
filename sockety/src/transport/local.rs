//! Connections in memory that are established at once.

use std::sync::Arc;

use sockety_codec::{ConnectionHeader, Decoder};
use tokio::io::DuplexStream;

use crate::{
    connection::Connection,
    engine::{common::Common, driver::Driver, negotiated::Negotiated, peer::Peer, shared::Shared},
    serve::router::{IntoRouter, Router},
};

/// Returns a connection whose other side serves what it is given, until the connection is closed or
/// has no handles. Both sides use the extension, like those of [`pair`](super::establish::pair).
pub(crate) fn local(serve: impl IntoRouter) -> Connection {
    let common = Common::default();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (connection, driver) = begin(near, Router::new(), common.clone());
    tokio::spawn(driver.run());
    let (far, driver) = begin(far, serve.into_router(), common);
    tokio::spawn(async move {
        driver.run().await;
        // Without a handle, its end would be closed at once.
        drop(far);
    });
    connection
}

/// Creates an end that already knows the connection header of the other, so that nobody waits for
/// it.
fn begin(
    io: DuplexStream,
    router: Router,
    common: Common,
) -> (Connection, Box<Driver<DuplexStream, Arc<Router>>>) {
    let mut header = Vec::new();
    ConnectionHeader::OFFER.encode(&mut header);
    let mut decoder = Decoder::new(common.options.limits)
        .whole_messages()
        .offering_extension();
    decoder
        .decode(&mut &header[..])
        .expect("our own header is legal");
    let shared = Arc::new(Shared::new(common, Peer::default(), Negotiated::Extended));
    let driver = Driver::new(io, Arc::clone(&shared), decoder, Arc::new(router));
    (Connection::new(shared), driver)
}
