//! That the programs in Node.js know the services as they are.
//!
//! `UPDATE_EXPECT=1 cargo test -p sockety-shared-api` writes the files again after a change.

use std::{
    env,
    path::{Path, PathBuf},
};

use sockety_shared_api::{StoreClient, VisitorClient};
use sockety_typescript::{ExportError, check, export};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../node/src")
        .join(name)
}

#[test]
fn files_are_those_of_the_traits() -> Result<(), ExportError> {
    let (store, visitor) = (file("store.ts"), file("visitor.ts"));
    if env::var_os("UPDATE_EXPECT").is_some() {
        export::<StoreClient>(&store)?;
        export::<VisitorClient>(&visitor)?;
    }
    check::<StoreClient>(&store)?;
    check::<VisitorClient>(&visitor)
}
