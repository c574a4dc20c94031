use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, names: Vec<&String>);
}

fn main() {}
