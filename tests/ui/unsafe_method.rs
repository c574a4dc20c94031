use sockety::service;

#[service]
pub trait Media {
    async unsafe fn get(&self) -> u64;
}

fn main() {}
