use sockety::{File, service};

#[service]
pub trait Media {
    #[action(limit(files = "8"))]
    async fn put(&self, files: Vec<File>);
}

fn main() {}
