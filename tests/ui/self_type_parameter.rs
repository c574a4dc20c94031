use sockety::service;

#[service]
pub trait Media: Sized + Send {
    async fn merge(&self, other: Vec<Self>);
}

fn main() {}
