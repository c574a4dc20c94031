use sockety::{File, service};

pub struct Clip;

#[service]
pub trait Media {
    async fn put(&self, clip: Clip, cover: File);
}

fn main() {}
