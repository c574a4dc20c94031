use sockety::service;

#[service]
pub trait Media {
    #[action(limit(file = "1 GiB"))]
    async fn put(&self, text: String);
}

fn main() {}
