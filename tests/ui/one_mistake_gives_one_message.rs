use sockety::{Connection, serve::Service, service};

#[service]
pub trait Media {
    /// The mistake.
    async fn find(&self, text: String, limit: u64) -> std::io::Result<u64>;
    async fn get(&self, id: u64) -> u64;
    #[action(one_way)]
    async fn track(&self, event: String);
}

struct Store;

impl Media for Store {
    async fn find(&self, _: String, limit: u64) -> std::io::Result<u64> {
        Ok(limit)
    }

    async fn get(&self, id: u64) -> u64 {
        id
    }

    async fn track(&self, _: String) {}
}

async fn use_all(connection: Connection) {
    let client = MediaClient::new(connection);
    let _ = client.clone().get(7).await;
    let _ = client.track("boot".into()).await;
    let _ = MediaDraft::get(7);
    let _ = MediaServer::new(Store).clone().description().actions;
}

fn main() {}
