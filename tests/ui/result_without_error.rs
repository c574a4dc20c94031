use sockety::service;

#[service]
pub trait Media {
    async fn get(&self) -> std::io::Result<u64>;
}

fn main() {}
