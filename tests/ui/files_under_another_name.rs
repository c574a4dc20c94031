use sockety::{File, service};

type Files = Vec<File>;

#[service]
pub trait Media {
    async fn store(&self, files: Files);
}

fn main() {}
