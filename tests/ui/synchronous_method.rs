use sockety::service;

#[service]
pub trait Media {
    fn get(&self) -> u64;
}

fn main() {}
