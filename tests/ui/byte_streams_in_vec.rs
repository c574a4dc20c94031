use sockety::{ByteStream, service};

#[service]
pub trait Media {
    async fn put(&self, inputs: Vec<ByteStream>);
}

fn main() {}
