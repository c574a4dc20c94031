//! Options of connections: limits and clocks.

pub(crate) mod budgets;
pub(crate) mod extension;
#[cfg(feature = "serde")]
mod from_serde;
pub(crate) mod options;
pub(crate) mod rate;
pub(crate) mod tcp;
#[cfg(feature = "serde")]
mod units;

pub use self::{
    budgets::Budgets,
    extension::Extension,
    options::Options,
    rate::Rate,
    tcp::{Keepalive, TcpOptions},
};
pub use sockety_codec::{ChannelCount, Limits};
