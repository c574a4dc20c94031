//! A service may be made by another macro.
#![deny(warnings)]

use sockety::{Context, Service, service};

macro_rules! make {
    ($name:ident, $action:ident, $ty:ty, $context:ty, $result:ty) => {
        #[service]
        trait $name {
            async fn $action(&self, cx: $context, key: $ty, value: Vec<$ty>) -> $result;
            async fn fixed(&self, key: $ty) -> $result;
        }
    };
}

make!(Values, put, u64, &Context, Result<(), MediaError>);

#[derive(Debug, serde::Serialize, serde::Deserialize, sockety::ServiceError)]
enum MediaError {
    #[code(16)]
    NotFound,
}

struct Store;

impl Values for Store {
    async fn put(&self, _: &Context, _: u64, _: Vec<u64>) -> Result<(), MediaError> {
        Err(MediaError::NotFound)
    }

    async fn fixed(&self, _: u64) -> Result<(), MediaError> {
        Ok(())
    }
}

fn main() {
    assert_eq!(ValuesServer::new(Store).description().actions.iter().map(|action| &*action.name).collect::<Vec<_>>(), ["put", "fixed"]);
}
