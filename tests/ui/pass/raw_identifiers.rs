//! `r#` is not part of the name on the wire.
#![deny(warnings)]

use sockety::{ServiceError, serve::Service, service};

#[allow(non_camel_case_types)]
#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
enum r#try {
    #[code(16)]
    r#loop,
}

#[service]
#[allow(non_camel_case_types)]
trait r#trait {
    async fn r#move(&self, r#type: u64, r#fn: String) -> Result<(), r#try>;
    async fn r#match(&self, r#type: u64);
}

struct Store;

impl r#trait for Store {
    async fn r#move(&self, r#type: u64, _: String) -> Result<(), r#try> {
        if r#type == 0 {
            Err(r#try::r#loop)
        } else {
            Ok(())
        }
    }

    async fn r#match(&self, _: u64) {}
}

fn main() {
    assert_eq!(traitServer::new(Store).description().actions.iter().map(|action| &*action.name).collect::<Vec<_>>(), ["move", "match"]);
    assert_eq!(r#try::r#loop.to_string(), "loop");
}
