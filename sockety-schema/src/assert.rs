//! For tests of users: a schema that is committed, and what has become of it.

use std::{env, fmt::Write as _, path::Path, str::FromStr};

use crate::{
    compare::{Allowed, Verdict, compare},
    error::SchemaError,
    model::Schema,
};

/// The variable that makes [`assert_compatible`] write the file instead.
const UPDATE: &str = "SOCKETY_SCHEMA";

/// Fails a test if a service has changed in a way that breaks peers that have not changed yet. Changes that do not, such as those
/// that need servers to be renewed first, are written to the standard error output, which `cargo test -- --nocapture` shows.
///
/// `path` is a file with the schema that is in use, which belongs into version control. With `SOCKETY_SCHEMA=update` in the
/// environment it is written instead, which is also how it begins, and all changes are shown. `allowed` are changes that are meant, as
/// `field.gone:Transfer.cents`; see [`Allowed`].
///
/// ```no_run
/// # use sockety_schema::{Schema, assert_compatible};
/// # fn of() -> Result<Schema, sockety_schema::SchemaError> { Schema::load("x") }
/// #[test]
/// fn old_clients_understand_the_bank() {
///     let schema = of().expect("a schema"); // sockety_schema::of::<BankClient>()
///     assert_compatible("bank.sockety.json", &schema, &[]);
/// }
/// ```
///
/// # Panics
/// If there is a breaking change, with all changes in the message, if there is no such file, or if `allowed` names no rule.
#[track_caller]
#[expect(clippy::panic, reason = "that is how tests fail")]
pub fn assert_compatible(path: impl AsRef<Path>, schema: &Schema, allowed: &[&str]) {
    let path = path.as_ref();
    if env::var_os(UPDATE).is_some_and(|it| it == "update") {
        if let Ok(old) = Schema::load(path) {
            eprint!("{}", compare(&old, schema));
        }
        if let Err(error) = schema.save(path) {
            panic!("cannot write {}: {error}", path.display());
        }
        return;
    }
    match check(path, schema, allowed) {
        Ok(changes) => eprint!("{changes}"),
        Err(text) => panic!("{text}"),
    }
}

/// Returns the changes that break nobody, a line each.
fn check(path: &Path, schema: &Schema, allowed: &[&str]) -> Result<String, String> {
    let hint = format!(
        "run the test with {UPDATE}=update to write {}",
        path.display()
    );
    let old = Schema::load(path).map_err(|error| match &error {
        SchemaError::File { error: cause, .. } => format!("{error}: {cause}; {hint}"),
        _ => error.to_string(),
    })?;
    let mut report = compare(&old, schema);
    for text in allowed {
        report.allow(&Allowed::from_str(text).map_err(|error| error.to_string())?);
    }
    if report.verdict() < Verdict::Breaking {
        return Ok(report.to_string());
    }
    let mut text = format!("the service breaks peers with {}:\n", path.display());
    let _ = write!(text, "{report}{hint} if that is meant");
    Err(text)
}
