use sockety::{File, service};

#[service]
pub trait Media {
    async fn put(&self, cover: &File);
}

fn main() {}
