//! A service can require other traits, and its default bodies can use them.
#![deny(warnings)]

use std::fmt::Display;

use sockety::{serve::Service, service};

#[service]
trait Named: Display + Send + Sync + 'static {
    async fn name(&self) -> String {
        self.to_string()
    }
}

struct Store;

impl Display for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("store")
    }
}

impl Named for Store {}

fn main() {
    assert_eq!(NamedServer::new(Store).clone().description().actions.iter().map(|action| &*action.name).collect::<Vec<_>>(), ["name"]);
}
