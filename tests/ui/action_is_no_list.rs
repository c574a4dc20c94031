use sockety::service;

#[service]
pub trait Media {
    #[action = "fetch"]
    async fn get(&self) -> u64;
}

fn main() {}
