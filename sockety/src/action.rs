use std::{fmt, ops::Deref, sync::Arc};

/// The name of an action: static where the code knows it, else shared.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Known(&'static str),
    Named(Arc<str>),
}

/// Whether the action is one that implementations ask each other for, and no service may have.
pub(crate) fn is_reserved(action: &str) -> bool {
    action.starts_with("$sockety.")
}

/// What callers know of an action besides its name.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traits {
    /// Executing it twice has the same effect as once.
    pub(crate) is_idempotent: bool,
    /// The time to its reply says nothing about the server: it comes when something happens, or its caller looks at it late.
    pub(crate) is_untimed: bool,
}

impl Deref for Action {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Named(name) => name,
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
