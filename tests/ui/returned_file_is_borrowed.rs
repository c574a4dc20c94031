use sockety::{File, service};

#[service]
pub trait Media {
    async fn get(&self) -> (u64, &'static File);
}

fn main() {}
