use sockety::service;

#[service(prefix = media)]
pub trait Media {
    async fn get(&self) -> u64;
}

fn main() {}
