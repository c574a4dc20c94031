//! Runs programs of the workspace as a person would, and checks what they print.

mod chat;
mod dissector;
mod examples;
mod interop;
mod support;
