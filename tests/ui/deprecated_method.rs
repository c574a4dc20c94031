#![deny(deprecated)]

use sockety::{Connection, service};

#[service]
pub trait Media {
    #[deprecated = "use `get`"]
    async fn find(&self, id: u64) -> u64;
    async fn get(&self, id: u64) -> u64;
}

fn call(connection: Connection) {
    let client = MediaClient::new(connection);
    let _ = (client.find(7), client.get(7));
    let _ = (MediaDraft::find(7), MediaDraft::get(7));
}

fn main() {}
