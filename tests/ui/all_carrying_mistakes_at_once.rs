use sockety::{ByteStream, File, Streaming, service};

#[service]
pub trait Media {
    async fn put(&self, cover: Option<File>, ids: Streaming<u64>, input: ByteStream);
    async fn store(&self, covers: Vec<File>, video: std::fs::File) -> (u64, File, u64);
    async fn get(&self, ids: Vec<Streaming<u64>>) -> Result<(Box<File>, ByteStream), File>;
}

fn main() {}
