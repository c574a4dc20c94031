use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, bytes: &[u8]);
}

fn main() {}
