//! Code that is not the user's fault raises no warning.
#![deny(
    missing_docs,
    warnings,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    unnameable_types,
    single_use_lifetimes,
    clippy::all,
    clippy::pedantic
)]
#![allow(clippy::unused_async)]

use sockety::{Context, serve::Service, service};

/// Has a name like type parameters have.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct S;

/// Has a name like type parameters have.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct A;

/// Is no alias of `Result`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct FindResult(Vec<u64>);

/// Is like what a user could write.
#[service(prefix = "media.")]
pub trait Media {
    /// Was better.
    #[deprecated = "use `from_store`"]
    async fn old(&self, id: u64) -> u64;
    /// Has a name for which there are lints.
    async fn from_store(&self, s: S, a: A, service: u8, value: u8) -> (S, A);
    /// Has a name of a well-known trait.
    async fn next(&self) -> Option<u64>;
    /// Has a name of a well-known trait.
    async fn default(&self, this: u64, body: u64) -> Vec<u64>;
    /// Returns what looks like a `Result`.
    async fn find(&self) -> FindResult;
    /// Speaks camel case.
    #[allow(non_snake_case)]
    async fn fetchClip(&self, userId: u64, clipId: u64, _unused: bool);
    /// Has a context in the middle, and many parameters.
    #[allow(clippy::too_many_arguments)]
    async fn many(&self, a: u8, b: u8, c: u8, d: u8, cx: &Context, e: u8, f: u8, g: u8, h: u8);
}

mod client_only {
    //! Uses nothing but the client.

    #[sockety::service]
    trait Private {
        async fn get(&self, id: u64, title: String) -> u64;
        #[action(one_way)]
        async fn track(&self, id: u64);
    }

    pub(crate) async fn run() {
        let client = PrivateClient::connect("127.0.0.1:1").await.expect("a peer");
        client.track(1).await.ok();
        client.get(1, String::new()).await.ok();
    }
}

mod server_only {
    //! Uses nothing but the server.

    #[sockety::service]
    pub(crate) trait Private {
        async fn get(&self, id: u64, title: String) -> u64;
    }

    pub(crate) struct Store;

    impl Private for Store {
        async fn get(&self, id: u64, _title: String) -> u64 {
            id
        }
    }
}

mod trait_only {
    //! Uses nothing that is generated.

    #[sockety::service]
    pub(in crate::trait_only) trait Private {
        async fn get(&self, id: u64, title: String) -> u64;
    }
}

mod deprecated_trait {
    //! Warns where it is used, and nowhere else.

    /// Was better.
    #[sockety::service]
    #[deprecated = "use something else"]
    trait Old {
        /// Finds a clip.
        async fn get(&self, id: u64, title: String) -> u64;
    }
}

struct Store;

#[allow(deprecated)]
impl Media for Store {
    async fn old(&self, id: u64) -> u64 {
        id
    }

    async fn from_store(&self, s: S, a: A, _: u8, _: u8) -> (S, A) {
        (s, a)
    }

    async fn next(&self) -> Option<u64> {
        None
    }

    async fn default(&self, this: u64, body: u64) -> Vec<u64> {
        vec![this, body]
    }

    async fn find(&self) -> FindResult {
        FindResult(Vec::new())
    }

    async fn fetchClip(&self, _: u64, _: u64, _: bool) {}

    async fn many(&self, _: u8, _: u8, _: u8, _: u8, _: &Context, _: u8, _: u8, _: u8, _: u8) {}
}

fn main() {
    drop(client_only::run());
    drop(server_only::PrivateServer::new(server_only::Store));
    assert_eq!(MediaServer::new(Store).description().actions[1].name, "media.from_store");
}
