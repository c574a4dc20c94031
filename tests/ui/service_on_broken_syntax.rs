use sockety::service;

#[service]
pub trait Media {
    async fn get(&self) -> ;
}

fn main() {}
