use sockety::service;
use sockety::Context;

#[service]
pub trait Media {
    async fn get(&self, cx: &mut Context) -> u64;
}

fn main() {}
