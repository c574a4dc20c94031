use sockety::service;

#[service]
pub trait Media {
    #[action(spawn)]
    #[action(spawn)]
    async fn get(&self, id: u64) -> u64;
}

fn main() {}
