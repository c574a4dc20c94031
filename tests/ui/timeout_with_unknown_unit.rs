use sockety::service;

#[service]
pub trait Media {
    #[action(timeout = "2 days")]
    async fn get(&self, id: u64) -> u64;
}

fn main() {}
