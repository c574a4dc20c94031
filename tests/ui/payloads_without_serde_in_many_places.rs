use sockety::{ByteStream, File, service};

pub struct Clip;
pub struct Cover;

#[service]
pub trait Media {
    async fn get(&self, clip: Clip) -> Vec<Cover>;
    async fn put(&self, id: u64, clips: Vec<Clip>, cover: Cover) -> (Cover, File);
    async fn show(&self, id: u64, clip: Clip, bytes: ByteStream);
}

fn main() {}
