use sockety::service;

pub struct Clip;

#[service]
pub trait Media {
    async fn put(&self, clip: Clip);
}

fn main() {}
