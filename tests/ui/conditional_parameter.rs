use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, #[cfg(all())] id: u64);
}

fn main() {}
