use sockety::{Streaming, service};

#[service]
pub trait Media {
    async fn put(&self, ids: std::sync::Arc<Streaming<u64>>);
}

fn main() {}
