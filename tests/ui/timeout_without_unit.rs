use sockety::service;

#[service]
pub trait Media {
    #[action(timeout = "2")]
    async fn get(&self, id: u64) -> u64;
}

fn main() {}
