use sockety::service;
use std::fs::File;

#[service]
pub trait Media {
    async fn get(&self) -> (u64, File);
}

fn main() {}
