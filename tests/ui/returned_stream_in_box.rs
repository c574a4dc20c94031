use sockety::{ByteStream, error::NoError, service};

#[service]
pub trait Media {
    async fn get(&self) -> Result<Box<ByteStream>, NoError>;
}

fn main() {}
