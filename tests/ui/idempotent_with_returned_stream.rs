use sockety::{ByteStream, service};

#[service]
pub trait Media {
    #[action(idempotent)]
    async fn read(&self, id: u64) -> ByteStream;
}

fn main() {}
