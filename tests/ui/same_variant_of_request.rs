use sockety::service;

#[service]
pub trait Media {
    async fn get_clip(&self, id: u64) -> u64;
    async fn getClip(&self, id: u64) -> u64;
}

fn main() {}
