use sockety::service;

#[service]
pub trait Media {
    #[action(oneway)]
    async fn track(&self, event: String);
}

fn main() {}
