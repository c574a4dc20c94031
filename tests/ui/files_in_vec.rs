use sockety::{File, service};

#[service]
pub trait Media {
    async fn put(&self, covers: Vec<Vec<File>>);
}

fn main() {}
