use sockety::{File, service};

#[service]
pub trait Media {
    async fn put(&self, covers: Vec<File>, id: u64, video: File);
}

fn main() {}
