use sockety::{File, service};

#[service]
pub trait Media {
    async fn put(&self, covers: Vec<File>, subtitles: Vec<File>);
}

fn main() {}
