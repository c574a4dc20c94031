use sockety::{ByteStream, Streaming, error::NoError, service};

#[service]
pub trait Media {
    async fn get(&self) -> Result<(Streaming<u64>, ByteStream), NoError>;
}

fn main() {}
