use sockety::{Streaming, service};

#[service]
pub trait Media {
    async fn put(&self, ids: Vec<Streaming<u64>>);
}

fn main() {}
