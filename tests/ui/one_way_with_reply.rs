use sockety::service;

#[service]
pub trait Media {
    #[action(one_way)]
    async fn track(&self, event: String) -> u64;
}

fn main() {}
