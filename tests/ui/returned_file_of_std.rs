use sockety::service;

#[service]
pub trait Media {
    async fn get(&self) -> (u64, std::fs::File);
}

fn main() {}
