use sockety::service;

pub struct Clip;

#[service]
pub trait Media {
    async fn put(&self, clips: Vec<Clip>);
}

fn main() {}
