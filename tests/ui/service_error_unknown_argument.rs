use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
#[service_error(krate = "::sockety")]
pub enum MediaError {
    #[code(16)]
    NotFound,
}

fn main() {}
