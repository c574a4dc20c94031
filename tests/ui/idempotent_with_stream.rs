use sockety::{Streaming, service};

#[service]
pub trait Media {
    #[action(idempotent)]
    async fn sum(&self, numbers: Streaming<u64>) -> u64;
}

fn main() {}
