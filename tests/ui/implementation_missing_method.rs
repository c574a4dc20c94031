use sockety::service;

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
}

struct Store;

impl Media for Store {}

fn main() {}
