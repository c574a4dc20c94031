use sockety::service;

#[service]
pub trait Media {
    async fn get(&self) -> u64
    where
        Self: Send;
}

fn main() {}
