//! Arguments of `#[action]` that the method must suit.

use crate::errors::Errors;
use crate::model::Action;

pub(super) fn check(action: &Action, errors: &mut Errors) {
    check_idempotent(action, errors);
    check_timeout(action, errors);
    check_limits(action, errors);
}

/// A stream cannot be sent a second time.
fn check_idempotent(action: &Action, errors: &mut Errors) {
    if let Some(idempotent) = &action.arguments.idempotent
        && action.has_stream()
    {
        let method = &action.ident;
        errors.at(
            idempotent,
            format!("a stream cannot be sent again: write `{method}` without `idempotent`"),
        );
    }
}

/// Who waits for nothing needs no clock.
fn check_timeout(action: &Action, errors: &mut Errors) {
    if let Some(timeout) = &action.arguments.timeout
        && action.arguments.one_way.is_some()
    {
        errors.at(
            &timeout.tokens,
            "the caller of a one-way action waits for nothing: write no `timeout`, or no `one_way`",
        );
    }
}

fn check_limits(action: &Action, errors: &mut Errors) {
    let (limits, method) = (&action.arguments.limits, &action.ident);
    if let Some(limit) = &limits.payload
        && action.payload().is_empty()
    {
        let message = format!("`{method}` takes no payload: write no limit for it");
        errors.at(&limit.tokens, message);
    }
    if action.takes_files() {
        return;
    }
    let files = limits.files.as_ref().map(|limit| &limit.tokens);
    let file = limits.file.as_ref().map(|limit| &limit.tokens);
    for tokens in files.into_iter().chain(file) {
        let message = format!("`{method}` takes no files: write no limit for them");
        errors.at(tokens, message);
    }
}
