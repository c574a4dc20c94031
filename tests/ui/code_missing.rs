use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError {
    #[code(16)]
    NotFound,
    Refused,
}

fn main() {}
