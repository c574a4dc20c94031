use sockety::{File, service};

#[service]
pub trait Media {
    async fn get(&self) -> Vec<Result<File, String>>;
}

fn main() {}
