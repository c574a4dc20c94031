use sockety::service;

#[service]
pub trait Media {
    #[action(limit(size = "1 MiB"))]
    async fn put(&self, text: String);
}

fn main() {}
