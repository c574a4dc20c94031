use sockety::{Context, service};

#[service]
pub trait Media {
    async fn get(&self, cx: Context, id: u64) -> u64;
    async fn put(&self, caller: sockety::Context);
}

fn main() {}
