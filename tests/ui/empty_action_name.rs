use sockety::service;

#[service]
pub trait Media {
    #[action(name = "")]
    async fn get(&self) -> u64;
}

fn main() {}
