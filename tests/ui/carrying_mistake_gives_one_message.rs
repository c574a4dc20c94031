use sockety::{ByteStream, Connection, File, Streaming, serve::Service, service};

#[service]
pub trait Media {
    /// The mistake.
    async fn put(&self, covers: Vec<File>, video: File) -> (u64, File);
    async fn get(&self, id: u64) -> Streaming<u64>;
    #[action(one_way)]
    async fn track(&self, input: ByteStream);
}

struct Store;

impl Media for Store {
    async fn put(&self, _: Vec<File>, video: File) -> (u64, File) {
        (0, video)
    }

    async fn get(&self, id: u64) -> Streaming<u64> {
        Streaming::from_iter([id])
    }

    async fn track(&self, _: ByteStream) {}
}

async fn use_all(connection: Connection, input: ByteStream) {
    let client = MediaClient::new(connection);
    let _ = client.clone().get(7).await;
    let _ = client.track(input).await;
    let _ = MediaDraft::get(7);
    let _ = MediaServer::new(Store).clone().description().actions;
}

fn main() {}
