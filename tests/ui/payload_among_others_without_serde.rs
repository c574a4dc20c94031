use sockety::service;

pub struct Clip;

#[service]
pub trait Media {
    async fn put(&self, id: u64, clip: Clip);
}

fn main() {}
