//! A method that is compiled out has no action, and the others keep theirs.
#![deny(missing_docs, warnings)]

use sockety::{serve::Service, service};

/// Stores clips.
#[service]
pub trait Media {
    /// Is not there, nor is its type.
    #[cfg(target_os = "none")]
    async fn first(&self, clip: Missing, other: Missing) -> Missing;
    /// Exists in two forms.
    #[cfg(target_os = "none")]
    async fn get(&self, id: Missing) -> String;
    /// Exists in two forms.
    #[cfg(not(target_os = "none"))]
    async fn get(&self, id: u64) -> String;
    /// Is there.
    #[cfg_attr(all(), cfg(all()))]
    async fn last(&self, id: u64, title: String);
}

/// Is not there.
#[service]
#[cfg(target_os = "none")]
pub trait Nothing {
    /// Is not there either.
    async fn get(&self) -> Missing;
}

/// Has no actions.
#[service]
pub trait Empty {}

struct Store;

impl Media for Store {
    async fn get(&self, id: u64) -> String {
        id.to_string()
    }

    async fn last(&self, _id: u64, _title: String) {}
}

impl Empty for Store {}

fn main() {
    assert_eq!(MediaServer::new(Store).description().actions.iter().map(|action| &*action.name).collect::<Vec<_>>(), ["get", "last"]);
    assert!(EmptyServer::new(Store).description().actions.is_empty());
}
