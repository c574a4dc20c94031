use sockety::service;

#[service]
pub trait Media {
    #[action(name)]
    async fn track(&self, event: String);
}

fn main() {}
