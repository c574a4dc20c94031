use sockety::{Context as Cx, service};

#[service]
pub trait Media {
    async fn get(&self, cx: &Cx, id: u64) -> u64;
    async fn put(&self, caller: &Cx);
}

fn main() {}
