use sockety::service;

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
    #[action(alias = ["get"])]
    async fn fetch(&self, id: u64) -> u64;
}

fn main() {}
