use sockety::{Router, service};

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
}

struct Store;

fn main() {
    let _ = Router::new().service(MediaServer::new(Store));
}
