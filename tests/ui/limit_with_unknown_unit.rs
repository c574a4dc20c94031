use sockety::service;

#[service]
pub trait Media {
    #[action(limit(payload = "1 Mbit"))]
    async fn put(&self, text: String);
}

fn main() {}
