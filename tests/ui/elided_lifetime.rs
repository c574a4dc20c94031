use sockety::service;

#[service]
pub trait Media {
    async fn put(&self, name: std::borrow::Cow<'_, str>);
}

fn main() {}
