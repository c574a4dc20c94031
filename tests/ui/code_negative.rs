use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError {
    #[code(-1)]
    NotFound,
}

fn main() {}
