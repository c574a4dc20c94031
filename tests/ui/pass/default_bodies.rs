//! A method with a body need not be implemented.
#![deny(warnings)]

use std::error::Error;

use sockety::{Context, serve::Service, service};

#[derive(Debug, serde::Serialize, serde::Deserialize, sockety::ServiceError)]
enum MediaError {
    #[code(16)]
    BadNumber,
}

impl From<std::num::ParseIntError> for MediaError {
    fn from(_: std::num::ParseIntError) -> Self {
        Self::BadNumber
    }
}

#[service]
trait Media {
    async fn parse(&self, text: String) -> Result<u64, MediaError> {
        if text.is_empty() {
            return Ok(0);
        }
        Ok(text.parse()?)
    }

    async fn twice(&self, _cx: &Context, mut text: String) -> Result<u64, MediaError> {
        text.push_str(&text.clone());
        self.parse(text).await
    }

    async fn boxed(&self, text: String) -> Box<[u8]> {
        let _error: Option<Box<dyn Error + Send + Sync>> = None;
        text.into_bytes().into()
    }

    async fn nothing(&self) {}
}

struct Store;

impl Media for Store {
    async fn nothing(&self) {}
}

fn main() {
    assert_eq!(MediaServer::new(Store).description().actions.len(), 4);
}
