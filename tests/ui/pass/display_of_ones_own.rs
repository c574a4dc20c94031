//! `#[service_error(display = false)]` leaves `Display` and `Error` to the user.
#![deny(warnings)]

use std::{error::Error, fmt};

use sockety::{CallError, ServiceError};

#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
#[service_error(display = false)]
pub enum BankError {
    #[code(16)]
    NoAccount { id: u32 },
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NoAccount { id } = self;
        write!(f, "there is no account {id}")
    }
}

impl Error for BankError {}

fn boxed<E: ServiceError>(error: CallError<E>) -> Box<dyn Error> {
    error.into()
}

fn main() {
    let error = BankError::NoAccount { id: 7 };
    assert_eq!(error.to_string(), "there is no account 7");
    assert!(boxed(CallError::Service(error)).is::<CallError<BankError>>());
}
