use sockety::service;

#[service]
pub trait Media {
    #[action(limit(payload = "99999999999 GiB"))]
    async fn put(&self, text: String);
}

fn main() {}
