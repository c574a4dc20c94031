use sockety::service;

#[service]
pub trait Media {
    async fn find(&self, text: &str) -> u64;
}

fn main() {}
