use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError {
    #[code(70000)]
    NotFound,
}

fn main() {}
