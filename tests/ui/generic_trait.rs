use sockety::service;

#[service]
pub trait Media<T> {
    async fn get(&self) -> u64;
}

fn main() {}
