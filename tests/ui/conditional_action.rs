use sockety::service;

#[service]
pub trait Media {
    #[cfg_attr(all(), action(one_way))]
    async fn track(&self, event: String);
}

fn main() {}
