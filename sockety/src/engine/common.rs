//! What connections of one server, or of one client, have in common.

use std::sync::Arc;

use super::{health::Health, warnings::Warnings};
use crate::{
    config::{budgets::Budgets, options::Options},
    stats::Counters,
};

#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) options: Arc<Options>,
    pub(crate) budgets: Budgets,
    pub(crate) counters: Arc<Counters>,
    pub(crate) warnings: Arc<Warnings>,
    /// What a server answers when a peer asks whether it serves. A client says that it does.
    pub(crate) health: Option<Health>,
    /// The budgets were given, and stay when the options change.
    shares_budgets: bool,
}

impl Common {
    /// With budgets and counters that nothing else has.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            budgets: Budgets::new(&options),
            options: Arc::new(options),
            counters: Arc::default(),
            warnings: Arc::default(),
            health: None,
            shares_budgets: false,
        }
    }

    /// Those of a server.
    pub(crate) fn of_server(counters: Arc<Counters>, health: Health) -> Self {
        Self {
            counters,
            health: Some(health),
            ..Self::default()
        }
    }

    pub(crate) fn set_options(&mut self, options: Options) {
        if !self.shares_budgets {
            self.budgets = Budgets::new(&options);
        }
        self.options = Arc::new(options);
    }

    pub(crate) fn set_budgets(&mut self, budgets: Budgets) {
        self.budgets = budgets;
        self.shares_budgets = true;
    }
}

impl Default for Common {
    fn default() -> Self {
        Self::new(Options::default())
    }
}
