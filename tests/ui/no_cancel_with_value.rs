use sockety::service;

#[service]
pub trait Media {
    #[action(no_cancel = true)]
    async fn get(&self, id: u64) -> u64;
}

fn main() {}
