use sockety::service;

#[service]
pub trait Media
where
    Self: Send,
 {
    async fn get(&self) -> u64;
}

fn main() {}
