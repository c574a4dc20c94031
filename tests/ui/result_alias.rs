use sockety::service;

type Result<T> = std::result::Result<T, std::fmt::Error>;

#[service]
pub trait Media {
    async fn get(&self) -> Result<u64>;
}

fn main() {}
