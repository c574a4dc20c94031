use sockety::service;

#[service]
pub trait Media {
    async fn get(self) -> u64;
}

fn main() {}
