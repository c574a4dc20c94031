use sockety::service;

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
}

struct Store;

fn main() {
    let _ = MediaClient::local(Store);
}
