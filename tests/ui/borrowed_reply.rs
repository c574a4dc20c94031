use sockety::service;

#[service]
pub trait Media {
    async fn name(&self) -> &str;
}

fn main() {}
