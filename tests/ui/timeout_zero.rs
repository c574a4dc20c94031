use sockety::service;

#[service]
pub trait Media {
    #[action(timeout = "0s")]
    async fn get(&self, id: u64) -> u64;
}

fn main() {}
