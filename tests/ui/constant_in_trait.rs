use sockety::service;

#[service]
pub trait Media {
    const LIMIT: u64;
    async fn get(&self) -> u64;
}

fn main() {}
