use sockety::{ByteStream, NoError, Streaming, service};

#[service]
pub trait Media {
    async fn get(&self) -> Result<(Streaming<u64>, ByteStream), NoError>;
}

fn main() {}
