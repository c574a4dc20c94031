//! What is written for services, and that it works.

mod calls;
mod hostile;
mod node;
mod refused;
mod services;
mod snapshots;
mod streams;
