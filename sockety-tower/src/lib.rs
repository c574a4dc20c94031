#![doc = include_str!("../README.md")]

mod call;
mod discover;
mod retry;
mod serve;

pub use self::{
    call::CallService,
    discover::Discovered,
    retry::RetryByOutcome,
    serve::{Handling, Layered},
};
