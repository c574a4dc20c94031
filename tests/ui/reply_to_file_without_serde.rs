use sockety::{File, service};

pub struct Clip;

#[service]
pub trait Media {
    async fn put(&self, cover: File) -> Clip;
}

fn main() {}
