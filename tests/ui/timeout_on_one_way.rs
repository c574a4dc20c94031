use sockety::service;

#[service]
pub trait Media {
    #[action(one_way, timeout = "2s")]
    async fn track(&self, event: String);
}

fn main() {}
