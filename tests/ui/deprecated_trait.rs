#![deny(deprecated)]

use sockety::{Connection, service};

#[service]
#[deprecated = "use `Archive`"]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
    #[deprecated = "use `get`"]
    async fn find(&self, id: u64) -> u64;
}

struct Store;

impl Media for Store {
    async fn get(&self, id: u64) -> u64 {
        id
    }

    async fn find(&self, id: u64) -> u64 {
        id
    }
}

fn call(connection: Connection) {
    let client = MediaClient::new(connection);
    let _ = (client.get(7), client.find(7), MediaDraft::get(7));
    let _ = (MediaClient::local(Store), MediaClient::connect("host:1"));
    let _ = MediaServer::new(Store);
}

fn main() {}
