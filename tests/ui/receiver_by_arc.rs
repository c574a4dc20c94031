use sockety::service;

#[service]
pub trait Media {
    async fn get(self: std::sync::Arc<Self>) -> u64;
}

fn main() {}
