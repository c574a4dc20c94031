use sockety::service;

#[service]
pub trait Media {
    async fn put<'a>(&'a self, value: u64);
}

fn main() {}
