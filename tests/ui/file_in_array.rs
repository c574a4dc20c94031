use sockety::{File, service};

#[service]
pub trait Media {
    async fn put(&self, covers: [File; 2]);
}

fn main() {}
