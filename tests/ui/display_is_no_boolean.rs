use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
#[service_error(display = "no")]
pub enum MediaError {
    #[code(16)]
    NotFound,
}

fn main() {}

impl std::fmt::Display for MediaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no clip")
    }
}

impl std::error::Error for MediaError {}
