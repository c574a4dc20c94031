use sockety::service;

pub struct Context;

#[service]
pub trait Media {
    async fn get(&self, cx: &Context, id: u64) -> u64;
}

fn main() {}
