use sockety::{File, service};

#[service]
pub trait Media {
    async fn get(&self) -> (Option<File>, u64);
}

fn main() {}
