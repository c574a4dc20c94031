//! Middleware that refuses calls of some actions, and says why: by what the caller may do, by how
//! many run, by how many came.

use std::collections::HashSet;

use crate::description::ServiceDescription;

pub(super) mod access_check;
pub(super) mod concurrency_limit;
pub(super) mod rate_limit;

/// The actions that a guard is for.
#[derive(Debug, Clone, Default)]
struct Scope(Option<HashSet<&'static str>>);

impl Scope {
    /// Also these actions of the service, by all their names, so that an alias does not get past a
    /// guard. A misspelt name panics.
    #[track_caller]
    fn add(&mut self, service: &'static ServiceDescription, actions: &[&str]) {
        let scope = self.0.get_or_insert_default();
        for action in actions {
            let known = service.actions.iter().find(|known| known.name == *action);
            let Some(known) = known else {
                let names: Vec<_> = service.actions.iter().map(|known| &*known.name).collect();
                panic!(
                    "{} has no action {action:?}: its actions are {names:?}",
                    service.name
                );
            };
            scope.extend(known.names());
        }
    }

    fn has(&self, action: &str) -> bool {
        self.0.as_ref().is_none_or(|scope| scope.contains(action))
    }
}
