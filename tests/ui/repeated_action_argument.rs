use sockety::service;

#[service]
pub trait Media {
    #[action(name = "a")]
    #[action(name = "b")]
    async fn track(&self, event: String);
}

fn main() {}
