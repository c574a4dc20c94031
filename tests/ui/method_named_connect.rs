use sockety::service;

#[service]
pub trait Media {
    async fn connect(&self) -> u64;
}

fn main() {}
