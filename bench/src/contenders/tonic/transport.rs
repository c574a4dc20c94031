//! Serving and connecting, with the same settings for both contenders.

use std::net::SocketAddr;

use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
    server::TcpIncoming,
};

use super::service::Desk;
use crate::{
    Result,
    contender::{Serving, Target},
    payloads::MIB,
    tls,
};

const WINDOW: u32 = 16 * MIB as u32;
const FRAME: u32 = MIB as u32;
pub const SETTINGS: &str = "windows of 16 MiB, frames up to 1 MiB, TCP_NODELAY";

pub async fn serve(serving: Serving) -> Result<()> {
    let mut server = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(None);
    if serving.tls {
        let identity = Identity::from_pem(&serving.identity.certificate, &serving.identity.key);
        server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let incoming = TcpIncoming::from(serving.listener).with_nodelay(Some(true));
    let desk = Desk::new(serving.directory);
    Ok(server
        .add_service(desk)
        .serve_with_incoming(incoming)
        .await?)
}

pub async fn channel(target: &Target) -> Result<Channel> {
    Ok(endpoint(target.address(), target)?.connect().await?)
}

pub fn endpoint(address: SocketAddr, target: &Target) -> Result<Endpoint> {
    let scheme = if target.tls { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .tcp_nodelay(true);
    if target.tls {
        let certificate = Certificate::from_pem(&target.certificate);
        let config = ClientTlsConfig::new()
            .ca_certificate(certificate)
            .domain_name(tls::NAME);
        endpoint = endpoint.tls_config(config)?;
    }
    Ok(endpoint)
}
