use sockety::{File, service};

#[service]
pub trait Media {
    async fn put(&self, covers: (File, File));
}

fn main() {}
