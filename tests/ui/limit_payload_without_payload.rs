use sockety::{File, service};

#[service]
pub trait Media {
    #[action(limit(payload = "1 MiB"))]
    async fn put(&self, file: File);
}

fn main() {}
