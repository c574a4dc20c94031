use sockety::service;

#[service]
pub trait Media {
    async fn get(&self) -> u64;
    #[action(name = "get")]
    async fn fetch(&self) -> u64;
}

fn main() {}
