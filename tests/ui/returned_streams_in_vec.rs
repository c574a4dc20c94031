use sockety::{Streaming, service};

#[service]
pub trait Media {
    async fn get(&self) -> Vec<Streaming<u64>>;
}

fn main() {}
