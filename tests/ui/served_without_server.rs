use sockety::{Server, service};

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
}

struct Store;

impl Media for Store {
    async fn get(&self, id: u64) -> u64 {
        id
    }
}

async fn serve(server: Server) {
    let _ = server.serve(Store).await;
}

fn main() {}
