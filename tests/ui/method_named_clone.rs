use sockety::service;

#[service]
pub trait Media {
    async fn clone(&self) -> u64;
}

fn main() {}
