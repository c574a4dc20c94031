use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError {
    #[code(3840)]
    NotFound,
}

fn main() {}
