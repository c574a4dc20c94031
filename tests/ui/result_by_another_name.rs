use sockety::service;

type MediaResult<T> = Result<T, MediaError>;

#[derive(Debug, serde::Serialize, serde::Deserialize, sockety::ServiceError)]
pub enum MediaError {
    #[code(16)]
    NotFound,
}

#[derive(serde::Serialize, serde::Deserialize)]
pub struct SearchResult<T>(Vec<T>);

#[service]
pub trait Media {
    async fn get(&self) -> MediaResult<u64>;
    async fn find(&self) -> SearchResult<u64>;
}

fn main() {}
