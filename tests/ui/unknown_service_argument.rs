use sockety::service;

#[service(prefx = "media.")]
pub trait Media {
    async fn get(&self) -> u64;
}

fn main() {}
