use sockety::{File, Streaming, service};

#[service]
pub trait Media {
    async fn put(&self, covers: Streaming<File>);
}

fn main() {}
