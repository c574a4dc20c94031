//! A server whose configuration is a TOML file: where it listens, and the options of its connections.
//!
//! ```sh
//! cargo run --example configured                # the configuration below
//! cargo run --example configured -- server.toml
//! ```

use std::{env, error::Error, fs, net::SocketAddr};

use serde::Deserialize;
use sockety::{FastReply, Options, Server, serve::MessageHandler};

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"
max_connections = 1000

[connection]
call_timeout = "5s"
idle_timeout = "2m"
max_requests_executing = 64
max_spill_bytes = "10 GiB"

[connection.limits]
max_payload = "16 MiB"
max_files = 8
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    listen: String,
    max_connections: usize,
    // What is not in the file is as `Options::default` has it.
    #[serde(default)]
    connection: Options,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = match env::args().nth(1) {
        Some(path) => fs::read_to_string(path)?,
        None => CONFIGURATION.to_owned(),
    };
    // Its `Debug`, which `main` would print, has the whole file, and perhaps secrets.
    let configuration: Configuration = toml::from_str(&text).map_err(|error| error.to_string())?;
    let server = Server::bind(&*configuration.listen)
        .await?
        .max_connections(configuration.max_connections)
        .options(configuration.connection);
    let address = server.local_addr()?;
    tokio::spawn(
        server.serve(MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT })),
    );
    ping(address).await?;

    // What a mistake in the file looks like.
    let mistake = toml::from_str::<Options>("call_timeout = \"5 seconds\"");
    println!("{}", mistake.unwrap_err());
    Ok(())
}

async fn ping(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let connection = sockety::connect(address).await?;
    let ping = sockety::message::Draft::new("ping");
    let reply = connection.send(&ping).await?.response().await?;
    println!("ping: {reply:?}");
    Ok(())
}
