use sockety::service;

#[service]
pub trait Media {
    async fn new(&self) -> u64;
}

fn main() {}
