use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub struct MediaError {
    reason: String,
}

fn main() {}
