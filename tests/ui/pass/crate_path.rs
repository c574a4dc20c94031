//! The crate can have another name.
#![deny(warnings)]

/// Hides the usual name.
mod facade {
    pub(crate) use ::sockety as rpc;
}

mod sockety {}

#[derive(Debug, serde::Serialize, serde::Deserialize, facade::rpc::ServiceError)]
#[service_error(crate = "crate::facade::rpc")]
enum MediaError {
    #[code(16)]
    NotFound,
}

#[facade::rpc::service(crate = "crate::facade::rpc")]
trait Media {
    async fn get(&self, id: u64, title: String) -> Result<u64, MediaError>;
}

struct Store;

impl Media for Store {
    async fn get(&self, id: u64, _title: String) -> Result<u64, MediaError> {
        if id == 0 {
            Err(MediaError::NotFound)
        } else {
            Ok(id)
        }
    }
}

fn main() {
    let _ = MediaServer::new(Store);
}
