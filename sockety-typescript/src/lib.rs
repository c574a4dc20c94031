//! TypeScript for a Sockety service, from its trait in Rust.
//!
//! The output is one file, to be committed with the code that uses it: the types of the service, a client, handlers for
//! a service that is written in TypeScript, drafts, and typed errors. It needs the package `sockety-runtime`.
#![cfg_attr(
    feature = "specta",
    doc = "
```
use sockety::service;

/// Moves money.
#[derive(serde::Serialize, serde::Deserialize, specta::Type)]
pub struct Transfer {
    pub to: u64,
    #[serde(default)]
    pub text: String,
}

#[service(prefix = \"bank.\")]
pub trait Bank {
    async fn transfer(&self, transfer: Transfer) -> u64;
}

# let folder = std::env::temp_dir().join(format!(\"sockety-typescript-{}\", std::process::id()));
# let path = folder.join(\"bank.ts\");
sockety_typescript::export::<BankClient>(&path)?;
// In a test: that the file was written again after a change of the service.
sockety_typescript::check::<BankClient>(&path)?;
# let text = std::fs::read_to_string(&path).unwrap();
assert!(text.contains(\"transfer(transfer: Transfer, options?: sockety.Options): Promise<number | bigint>\"));
# std::fs::remove_dir_all(folder).unwrap();
# Ok::<(), sockety_typescript::ExportError>(())
```
"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::{fs, io, path::Path};

use sockety_schema::Schema;

mod checks;
mod error;
mod failures;
mod layout;
mod names;
mod schema;
mod service;
mod types;

pub use error::{ExportError, Unsupported};

/// Writes the TypeScript of a service to a file, from its generated client. Folders that do not exist are created, and a
/// file that is right already is not touched.
///
/// # Errors
/// [`ExportError`], if a type cannot travel, has no counterpart in JavaScript, or the file cannot be written.
#[cfg(feature = "specta")]
pub fn export<C>(path: impl AsRef<Path>) -> Result<(), ExportError>
where
    C: sockety::describe::ServiceTypes<sockety_schema::TypeCollector>,
{
    export_schema(&sockety_schema::of::<C>()?, path)
}

/// Checks that a file is what [`export`] would write.
///
/// # Errors
/// [`ExportError::Differs`] if it is not, and the errors of [`export`].
#[cfg(feature = "specta")]
pub fn check<C>(path: impl AsRef<Path>) -> Result<(), ExportError>
where
    C: sockety::describe::ServiceTypes<sockety_schema::TypeCollector>,
{
    check_schema(&sockety_schema::of::<C>()?, path)
}

/// Writes the TypeScript of all services of a schema to a file.
///
/// # Errors
/// [`ExportError`], if a type has no counterpart in JavaScript, or the file cannot be written.
pub fn export_schema(schema: &Schema, path: impl AsRef<Path>) -> Result<(), ExportError> {
    let (text, path) = (typescript(schema)?, path.as_ref());
    let write = || {
        if fs::read_to_string(path).is_ok_and(|present| present == text) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, &text)
    };
    write().map_err(|source| unreachable_file(path, source))
}

/// Checks that a file is what [`export_schema`] would write.
///
/// # Errors
/// [`ExportError::Differs`] if it is not, and as [`export_schema`].
pub fn check_schema(schema: &Schema, path: impl AsRef<Path>) -> Result<(), ExportError> {
    let (text, path) = (typescript(schema)?, path.as_ref());
    let present = fs::read_to_string(path).map_err(|source| unreachable_file(path, source))?;
    // Version control may have changed how lines end.
    let present = present.replace("\r\n", "\n");
    if present == text {
        return Ok(());
    }
    let same = present
        .split('\n')
        .zip(text.split('\n'))
        .take_while(|(left, right)| left == right);
    Err(ExportError::Differs {
        path: path.to_owned(),
        line: same.count() + 1,
    })
}

/// The TypeScript of all services of a schema, which may come from anywhere: none of its texts becomes code. Equal schemas
/// have equal texts.
///
/// # Errors
/// [`Unsupported`] if a type, or the name of a field, has no counterpart in JavaScript.
pub fn typescript(schema: &Schema) -> Result<String, Unsupported> {
    schema::file(schema)
}

fn unreachable_file(path: &Path, source: io::Error) -> ExportError {
    ExportError::Io {
        path: path.to_owned(),
        source,
    }
}
