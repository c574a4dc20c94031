use sockety::service;

#[service]
pub trait Media {
    async fn names(&self) -> impl Iterator<Item = String>;
}

fn main() {}
