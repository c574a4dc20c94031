use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, name: impl Into<String> + Send);
}

fn main() {}
