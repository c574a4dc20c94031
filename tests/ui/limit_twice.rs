use sockety::service;

#[service]
pub trait Media {
    #[action(limit(payload = "1 MiB", payload = "2 MiB"))]
    async fn put(&self, text: String);
}

fn main() {}
