use sockety::{File as Upload, service};

#[service]
pub trait Media {
    async fn store(&self, file: Upload);
}

fn main() {}
