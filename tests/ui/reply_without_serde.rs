use sockety::service;

pub struct Clip;

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> Clip;
}

fn main() {}
