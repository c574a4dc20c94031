use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, (id, title): (u64, String)) {
        let _ = (id, title);
    }
}

fn main() {}
