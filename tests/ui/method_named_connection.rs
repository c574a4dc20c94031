use sockety::service;

#[service]
pub trait Media {
    async fn connection(&self) -> u64;
}

fn main() {}
