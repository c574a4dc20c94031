use sockety::{Streaming, service};

pub struct Clip;

#[service]
pub trait Media {
    async fn put(&self, clips: Streaming<Clip>);
}

fn main() {}
