use sockety::service;

#[service]
pub trait Media {
    async fn put<T: Send>(&self, value: T);
}

fn main() {}
