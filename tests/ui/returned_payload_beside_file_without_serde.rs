use sockety::{File, service};

pub struct Clip;

#[service]
pub trait Media {
    async fn get(&self) -> (Clip, File);
}

fn main() {}
