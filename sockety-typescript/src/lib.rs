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

/// What integers of 64 bits are in JavaScript, whose `number` has those up to 2^53 exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BigInts {
    /// A `number` up to 2^53, and a `bigint` beyond: their type is `number | bigint`. Values are as they arrive.
    #[default]
    Large,
    /// Always a `bigint`, whatever their value. What arrives is converted, where its type says so.
    Always,
}

/// Writes TypeScript. The functions of this crate do it with the default settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generator {
    bigints: BigInts,
}

impl Generator {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what integers of 64 bits are. Default: [`BigInts::Large`].
    #[must_use]
    pub fn bigints(mut self, bigints: BigInts) -> Self {
        self.bigints = bigints;
        self
    }

    /// Writes the TypeScript of a service to a file, from its generated client. Folders that do not exist are created,
    /// and a file that is right already is not touched.
    ///
    /// # Errors
    /// [`ExportError`], if a type cannot travel, has no counterpart in JavaScript, or the file cannot be written.
    #[cfg(feature = "specta")]
    pub fn export<C>(&self, path: impl AsRef<Path>) -> Result<(), ExportError>
    where
        C: sockety::describe::ServiceTypes<sockety_schema::TypeCollector>,
    {
        self.export_schema(&sockety_schema::of::<C>()?, path)
    }

    /// Checks that a file is what [`export`](Self::export) would write.
    ///
    /// # Errors
    /// [`ExportError::Differs`] if it is not, and the errors of [`export`](Self::export).
    #[cfg(feature = "specta")]
    pub fn check<C>(&self, path: impl AsRef<Path>) -> Result<(), ExportError>
    where
        C: sockety::describe::ServiceTypes<sockety_schema::TypeCollector>,
    {
        self.check_schema(&sockety_schema::of::<C>()?, path)
    }

    /// Writes the TypeScript of all services of a schema to a file, like [`export`](Self::export).
    ///
    /// # Errors
    /// [`ExportError`], if a type has no counterpart in JavaScript, or the file cannot be written.
    pub fn export_schema(
        &self,
        schema: &Schema,
        path: impl AsRef<Path>,
    ) -> Result<(), ExportError> {
        let (text, path) = (self.typescript(schema)?, path.as_ref());
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

    /// Checks that a file is what [`export_schema`](Self::export_schema) would write. Lines may end with CR LF, too.
    ///
    /// # Errors
    /// [`ExportError::Differs`] if it is not, and the errors of [`export_schema`](Self::export_schema).
    pub fn check_schema(&self, schema: &Schema, path: impl AsRef<Path>) -> Result<(), ExportError> {
        let (text, path) = (self.typescript(schema)?, path.as_ref());
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

    /// The TypeScript of all services of a schema, which may come from anywhere: none of its texts becomes code, and the
    /// result has at most 32 MiB. Equal schemas have equal texts.
    ///
    /// # Errors
    /// [`Unsupported`] if a type, or the name of a field, has no counterpart in JavaScript, or the text would be larger.
    pub fn typescript(&self, schema: &Schema) -> Result<String, Unsupported> {
        schema::file(schema, self.bigints)
    }
}

/// [`Generator::export`] with the default settings.
///
/// # Errors
/// Those of [`Generator::export`].
#[cfg(feature = "specta")]
pub fn export<C>(path: impl AsRef<Path>) -> Result<(), ExportError>
where
    C: sockety::describe::ServiceTypes<sockety_schema::TypeCollector>,
{
    Generator::new().export::<C>(path)
}

/// [`Generator::check`] with the default settings.
///
/// # Errors
/// Those of [`Generator::check`].
#[cfg(feature = "specta")]
pub fn check<C>(path: impl AsRef<Path>) -> Result<(), ExportError>
where
    C: sockety::describe::ServiceTypes<sockety_schema::TypeCollector>,
{
    Generator::new().check::<C>(path)
}

/// [`Generator::export_schema`] with the default settings.
///
/// # Errors
/// Those of [`Generator::export_schema`].
pub fn export_schema(schema: &Schema, path: impl AsRef<Path>) -> Result<(), ExportError> {
    Generator::new().export_schema(schema, path)
}

/// [`Generator::check_schema`] with the default settings.
///
/// # Errors
/// Those of [`Generator::check_schema`].
pub fn check_schema(schema: &Schema, path: impl AsRef<Path>) -> Result<(), ExportError> {
    Generator::new().check_schema(schema, path)
}

/// [`Generator::typescript`] with the default settings.
///
/// # Errors
/// Those of [`Generator::typescript`].
pub fn typescript(schema: &Schema) -> Result<String, Unsupported> {
    Generator::new().typescript(schema)
}

fn unreachable_file(path: &Path, source: io::Error) -> ExportError {
    ExportError::Io {
        path: path.to_owned(),
        source,
    }
}
