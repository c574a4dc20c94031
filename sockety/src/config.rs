//! Options of connections: limits and clocks.

pub(crate) mod budgets;
pub(crate) mod options;
pub(crate) mod rate;
pub(crate) mod tcp;

pub use self::{
    budgets::Budgets,
    options::Options,
    rate::Rate,
    tcp::{Keepalive, TcpOptions},
};
pub use sockety_codec::{ChannelCount, Limits};
