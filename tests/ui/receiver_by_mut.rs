use sockety::service;

#[service]
pub trait Media {
    async fn put(&mut self, id: u64);
}

fn main() {}
