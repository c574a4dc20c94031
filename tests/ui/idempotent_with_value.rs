use sockety::service;

#[service]
pub trait Media {
    #[action(idempotent = true)]
    async fn get(&self, id: u64) -> u64;
}

fn main() {}
