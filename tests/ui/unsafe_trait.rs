use sockety::service;

#[service]
pub unsafe trait Media {
    async fn get(&self) -> u64;
}

fn main() {}
