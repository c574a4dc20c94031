use sockety::service;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct ByteStream;

#[service]
pub trait Media {
    async fn shout(&self, text: ByteStream) -> ByteStream;
}

fn main() {}
