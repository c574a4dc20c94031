use sockety::service;
use std::fs::File;

#[service]
pub trait Media {
    async fn put(&self, cover: File);
}

fn main() {}
