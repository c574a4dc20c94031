use sockety::service;
use sockety::Context;

#[service]
pub trait Media {
    async fn get(&self, a: &Context, b: &Context) -> u64;
}

fn main() {}
