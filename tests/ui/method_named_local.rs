use sockety::service;

#[service]
pub trait Media {
    async fn local(&self) -> u64;
}

fn main() {}
