use sockety::{Streaming, service};

pub struct Clip;

#[service]
pub trait Media {
    async fn get(&self) -> Streaming<Clip>;
}

fn main() {}
