use sockety::service;

#[service]
pub trait Media {
    #[action(one_way, long_poll)]
    async fn track(&self, event: String);
}

fn main() {}
