use sockety::{ServiceError, service};

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError {
    #[code(16)]
    NotFound,
    #[code(1)]
    Refused,
}

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> Result<u64, MediaError>;
}

fn show(error: MediaError) -> String {
    error.to_string()
}

fn main() {}
