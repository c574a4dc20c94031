//! The exchange of connection headers.

use std::sync::Arc;

use sockety_codec::{ConnectionHeader, Decoder, Event};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    config::{extension::Extension, options::Options},
    connection::Connection,
    engine::{common::Common, driver::Driver, negotiated::Negotiated, peer::Peer, shared::Shared},
    error::connect::{ConnectProblem, is_gone, unheard},
    serve::router::Router,
};

/// Exchanges connection headers. The caller limits the time.
pub(crate) async fn establish<IO>(
    io: IO,
    router: Arc<Router>,
    common: Common,
    peer: Peer,
) -> Result<(Connection, Box<Driver<IO, Arc<Router>>>), ConnectProblem>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (io, decoder, negotiated) = handshake(io, &common.options).await?;
    let shared = Arc::new(Shared::new(common, peer, negotiated));
    let driver = Driver::new(io, Arc::clone(&shared), decoder, router);
    Ok((Connection::new(shared), driver))
}

/// Sends our connection header and reads the peer's.
// r[impl header.immediate]
// r[impl header.wait]
async fn handshake<IO>(
    mut io: IO,
    options: &Options,
) -> Result<(IO, Decoder, Negotiated), ConnectProblem>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let offers = options.extension != Extension::Off;
    let mut header = Vec::new();
    match offers {
        true => ConnectionHeader::OFFER,
        false => ConnectionHeader::new(options.limits.channels()),
    }
    .encode(&mut header);
    // A peer that has closed may have said before what it is.
    let written = async {
        io.write_all(&header).await?;
        io.flush().await
    }
    .await;
    let written = match written {
        Err(error) if !is_gone(&error) => return Err(error.into()),
        written => written,
    };
    let mut is_heard = false;
    let mut decoder = Decoder::new(options.limits).whole_messages();
    if offers {
        decoder = decoder.offering_extension();
    }
    loop {
        // Byte by byte, because the driver reads what follows the header.
        let mut byte = [0; 1];
        match io.read(&mut byte).await {
            Ok(0) => {
                written.map_err(if is_heard {
                    ConnectProblem::Io
                } else {
                    unheard
                })?;
                return Err(match is_heard {
                    true => ConnectProblem::Closed,
                    false => ConnectProblem::ClosedSilently,
                });
            }
            Ok(_) => is_heard = true,
            Err(error) if is_heard => return Err(error.into()),
            Err(error) => return Err(unheard(error)),
        }
        if let Some(Event::Header(header)) = decoder
            .decode(&mut &byte[..])
            .map_err(ConnectProblem::Handshake)?
        {
            written?;
            let negotiated = match offers && header.offers_extension {
                true => Negotiated::Extended,
                // r[impl ext.option]
                false if options.extension == Extension::Require => {
                    return Err(ConnectProblem::NoExtension);
                }
                false => Negotiated::Base(header.channels),
            };
            return Ok((io, decoder, negotiated));
        }
    }
}
