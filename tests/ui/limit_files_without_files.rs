use sockety::service;

#[service]
pub trait Media {
    #[action(limit(files = 8))]
    async fn put(&self, text: String);
}

fn main() {}
