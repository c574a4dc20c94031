//! jsonrpsee: JSON-RPC over a WebSocket. Its payloads are text; its server has no TLS, and executes no notifications.

use std::{str, sync::Arc};

use bytes::Bytes;
use jsonrpsee::{
    RpcModule,
    core::client::ClientT,
    rpc_params,
    server::{Server, ServerConfig},
    ws_client::{WsClient, WsClientBuilder},
};

use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Kind, Serving, Target},
    control,
    payloads::Record,
    plan::Runtime,
    workload::Workload,
};

pub struct Jsonrpsee;

impl Contender for Jsonrpsee {
    type Client = JsonClient;

    const ABOUT: About = About {
        name: "jsonrpsee",
        kind: Kind::Peer,
        crates: &["jsonrpsee"],
        settings: "WebSocket, TCP_NODELAY, buffers of 4,096 messages; payloads of 32 characters",
        runtime: Runtime::Current,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W7,
            Workload::W8,
            Workload::W12,
        ],
        tls: false,
    };

    async fn serve(serving: Serving) -> Result<()> {
        let config = ServerConfig::builder()
            .ws_only()
            .max_connections(20_000)
            .set_message_buffer_capacity(4096)
            .set_tcp_no_delay(true)
            .build();
        let server = Server::builder()
            .set_config(config)
            .build_from_tcp(serving.listener.into_std()?)?;
        server.start(module()?).stopped().await;
        Ok(())
    }

    async fn connect(target: &Target) -> Result<JsonClient> {
        let client = WsClientBuilder::new()
            .max_concurrent_requests(4096)
            .set_tcp_no_delay(true)
            .build(format!("ws://{}", target.address()))
            .await?;
        Ok(JsonClient {
            client: Arc::new(client),
        })
    }
}

fn module() -> Result<RpcModule<()>> {
    let mut module = RpcModule::new(());
    module.register_method("echo", |params, _, _| {
        control::executed(1);
        params.one::<String>()
    })?;
    module.register_method("records", |params, _, _| {
        control::executed(1);
        params.one::<Vec<Record>>()
    })?;
    Ok(module)
}

#[derive(Clone)]
pub struct JsonClient {
    client: Arc<WsClient>,
}

impl Client for JsonClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let params = rpc_params![str::from_utf8(&payload)?];
        let reply: String = self.client.request("echo", params).await?;
        Ok(reply.into())
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        Ok(self.client.request("records", rpc_params![records]).await?)
    }
}
