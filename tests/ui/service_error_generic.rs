use sockety::ServiceError;

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError<T> {
    #[code(16)]
    Refused(T),
}

fn main() {}
