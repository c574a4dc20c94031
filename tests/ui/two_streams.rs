use sockety::{Streaming, service};

#[service]
pub trait Media {
    async fn put(&self, ids: Streaming<u64>, titles: Streaming<String>);
}

fn main() {}
