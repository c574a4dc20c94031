use serde::{Deserialize, Serialize};
use sockety::service;

#[derive(Serialize, Deserialize)]
pub struct Transfer {
    to: u64,
}

#[service]
pub trait Bank {
    async fn transfer(&self, transfer: Transfer) -> u64;
}

fn main() {
    let _ = sockety_schema::of::<BankClient>();
}
