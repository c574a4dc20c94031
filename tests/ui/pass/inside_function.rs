//! A service can be as local as its types.
#![deny(warnings)]

use sockety::{serve::Service, service};

fn main() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Clip(u64);

    #[service]
    trait Media {
        async fn put(&self, title: String, clip: Clip) -> Clip;
    }

    struct Store;

    impl Media for Store {
        async fn put(&self, _: String, clip: Clip) -> Clip {
            clip
        }
    }

    assert_eq!(MediaServer::new(Store).description().actions.iter().map(|action| &*action.name).collect::<Vec<_>>(), ["put"]);
}
