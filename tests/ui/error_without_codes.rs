use sockety::service;

#[derive(serde::Serialize, serde::Deserialize)]
pub enum MediaError {
    NotFound,
}

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> Result<u64, MediaError>;
}

fn main() {}
