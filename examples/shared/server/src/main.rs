//! The server: a store in memory.

use std::{
    env,
    io::{self, Write},
};

use sockety::{Server, serve::BoxError};
use sockety_shared_api::StoreServer;

mod memory;

use memory::Memory;

/// Serves on the address in the first argument until Ctrl-C; without one, on a free port.
#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let address = env::args().nth(1);
    let server = Server::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let _ = writeln!(io::stdout(), "listening on {}", server.local_addr()?);

    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.stop();
        }
    });
    server.serve(StoreServer::new(Memory::new())).await?;
    Ok(())
}
