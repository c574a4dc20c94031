//! Arguments of `#[action]` that only some methods can have.

use crate::errors::Errors;
use crate::model::Action;

pub(super) fn check(action: &Action, errors: &mut Errors) {
    check_idempotent(action, errors);
    check_timeout(action, errors);
    check_long_poll(action, errors);
    check_limits(action, errors);
}

/// An idempotent call may be sent again, but a stream is consumed the first time.
fn check_idempotent(action: &Action, errors: &mut Errors) {
    if let Some(idempotent) = &action.arguments.idempotent {
        if action.has_stream() {
            let method = &action.ident;
            errors.at(
                idempotent,
                format!("`{method}` has a stream, which cannot be sent again: remove `idempotent`"),
            );
        }
    }
}

/// A timeout limits the wait for a reply.
fn check_timeout(action: &Action, errors: &mut Errors) {
    if let Some(timeout) = &action.arguments.timeout {
        if action.arguments.one_way.is_some() {
            errors.at(
                &timeout.tokens,
                "a one-way action has no reply to wait for: remove `timeout`, or remove `one_way`",
            );
        }
    }
}

/// What a long poll waits for is its reply.
fn check_long_poll(action: &Action, errors: &mut Errors) {
    if let (Some(long_poll), Some(_)) = (&action.arguments.long_poll, &action.arguments.one_way) {
        errors.at(
            long_poll,
            "a one-way action has no reply that could take long: remove `long_poll`, or remove `one_way`",
        );
    }
}

fn check_limits(action: &Action, errors: &mut Errors) {
    let (limits, method) = (&action.arguments.limits, &action.ident);
    if let Some(limit) = &limits.payload {
        if action.payload().is_empty() {
            let message = format!("`{method}` takes no payload: remove this limit");
            errors.at(&limit.tokens, message);
        }
    }
    if let Some(limit) = &limits.stream {
        if !action.takes_stream() {
            let message = format!("`{method}` takes no stream: remove this limit");
            errors.at(&limit.tokens, message);
        }
    }
    if action.takes_files() {
        return;
    }
    let files = limits.files.as_ref().map(|limit| &limit.tokens);
    let sizes = [&limits.file, &limits.all_files];
    let sizes = sizes.into_iter().flatten().map(|limit| &limit.tokens);
    for tokens in files.into_iter().chain(sizes) {
        let message = format!("`{method}` takes no files: remove this limit");
        errors.at(tokens, message);
    }
}
