use sockety::service;

#[service(prefix = "a.", prefix = "b.")]
pub trait Media {
    async fn get(&self) -> u64;
}

fn main() {}
