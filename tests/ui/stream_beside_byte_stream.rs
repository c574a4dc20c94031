use sockety::{ByteStream, Streaming, service};

#[service]
pub trait Media {
    async fn put(&self, input: ByteStream, ids: Streaming<u64>);
}

fn main() {}
