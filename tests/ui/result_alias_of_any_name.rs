use sockety::service;

type Res<T> = Result<T, MediaError>;

#[derive(Debug, serde::Serialize, serde::Deserialize, sockety::ServiceError)]
pub enum MediaError {
    #[code(16)]
    NotFound,
}

#[service]
pub trait Media {
    async fn get(&self) -> Res<u64>;
}

fn main() {}
