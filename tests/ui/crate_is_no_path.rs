use sockety::service;

#[service(crate = "not a path")]
pub trait Media {
    async fn get(&self) -> u64;
}

fn main() {}
