use sockety::service;

#[service]
pub trait Media {
    type Clip;
    async fn get(&self) -> u64;
}

fn main() {}
