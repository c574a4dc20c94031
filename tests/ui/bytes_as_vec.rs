use sockety::{Streaming, service};

#[service]
pub trait Media {
    async fn put(&self, bytes: Vec<u8>);
    async fn get(&self, name: Option<Vec<u8>>, other: &[u8]) -> Vec<u8>;
    async fn chunks(&self) -> Streaming<Vec<u8>>;
    async fn all(&self) -> std::collections::HashMap<String, Vec<u8>>;
}

fn main() {}
