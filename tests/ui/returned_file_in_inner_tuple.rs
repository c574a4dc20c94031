use sockety::{File, service};

#[service]
pub trait Media {
    async fn get(&self) -> ((File, u64), u64);
}

fn main() {}
