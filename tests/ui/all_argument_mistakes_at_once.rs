use sockety::service;

#[service]
pub trait Media {
    #[action(timeout = "2", idempotent = 1, spawn, spawn)]
    async fn get(&self, id: u64) -> u64;
    #[action(limit(files = 8, size = "1 B"), alias = ["get"], retry)]
    async fn put(&self, text: String);
}

fn main() {}
