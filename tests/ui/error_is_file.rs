use sockety::{File, service};

#[service]
pub trait Media {
    async fn get(&self) -> Result<u64, File>;
}

fn main() {}
