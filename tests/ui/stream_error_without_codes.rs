use sockety::{Streaming, service};

#[service]
pub trait Media {
    async fn get(&self) -> Streaming<u64, String>;
}

fn main() {}
