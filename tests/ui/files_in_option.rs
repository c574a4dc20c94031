use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, covers: Option<Vec<sockety::File>>);
}

fn main() {}
