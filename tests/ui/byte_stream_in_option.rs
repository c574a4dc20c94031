use sockety::{ByteStream, service};

#[service]
pub trait Media {
    async fn put(&self, input: Option<ByteStream>);
}

fn main() {}
