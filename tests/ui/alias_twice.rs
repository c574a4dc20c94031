use sockety::service;

#[service]
pub trait Media {
    #[action(alias = ["fetch", "fetch"])]
    async fn get(&self, id: u64) -> u64;
}

fn main() {}
