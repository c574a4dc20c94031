use sockety::{ByteStream as Raw, service};

type Items = sockety::Streaming<u64>;

#[service]
pub trait Media {
    async fn items(&self) -> Items;
    async fn raw(&self) -> Raw;
}

fn main() {}
