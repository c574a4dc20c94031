use sockety::service;

#[service]
pub trait Media {
    async fn get(id: u64) -> u64;
}

fn main() {}
