use sockety::service;

#[service]
pub trait Media {
    async extern "C" fn get(&self) -> u64;
}

fn main() {}
