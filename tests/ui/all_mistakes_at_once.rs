use sockety::service;

#[service(prefix = "media.", prefix = "again.")]
pub trait Media {
    const LIMIT: u64;
    fn get(&mut self, id: &u64) -> std::io::Result<u64>;
    async fn connect(&self);
    #[action(name = "media.connect", oneway)]
    async fn find<T>(&self, text: &str, limit: impl Into<u64>);
}

fn main() {}
