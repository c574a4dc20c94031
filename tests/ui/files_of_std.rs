use sockety::service;
use std::fs;

#[service]
pub trait Media {
    async fn put(&self, covers: Vec<fs::File>);
}

fn main() {}
