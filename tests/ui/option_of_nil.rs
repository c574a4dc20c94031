use sockety::service;

#[service]
pub trait Documents {
    async fn patch(&self, id: u64, title: Option<Option<String>>);
    async fn lock(&self) -> Option<()>;
    async fn locks(&self) -> Vec<std::option::Option<Option<u64>>>;
}

fn main() {}
