use sockety::service;

#[service]
pub trait Media {
    const async fn get(&self) -> u64;
}

fn main() {}
