use sockety::service;

#[service]
pub trait Media {
    async fn find(&self, #[param(alias = ["text"])] title: String);
}

fn main() {}
