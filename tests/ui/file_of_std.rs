use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, cover: std::fs::File);
}

fn main() {}
