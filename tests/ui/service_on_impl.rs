use sockety::service;

struct Store;

#[service]
impl Store {
    pub async fn get(&self) {}
}

fn main() {}
