use sockety::service;

#[service]
pub trait Media {
    #[action(one_way = true)]
    async fn track(&self, event: String);
}

fn main() {}
