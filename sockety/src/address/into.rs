use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{Address, error::AddressError};

/// What [`connect`](crate::connect) and [`Server::bind`](crate::Server::bind) take as an address.
/// If it is no address, awaiting them returns the error.
///
/// | Type | Means |
/// | --- | --- |
/// | `&str`, `String`, `&String` | a text as [`Address`] describes it |
/// | `(&str, u16)`, `(String, u16)` | TCP to a host, by name or number, and a port |
/// | [`SocketAddr`], `(IpAddr, u16)` | TCP |
/// | [`&Path`](Path), [`PathBuf`] | a Unix socket |
/// | [`Address`] | itself |
///
/// The trait is sealed.
///
/// ```
/// use sockety::{client::IntoAddress, error::AddressProblem};
///
/// assert_eq!(("::1", 9000).into_address().unwrap().to_string(), "[::1]:9000");
/// let error = ("a:b", 9000).into_address().unwrap_err();
/// assert_eq!(error.problem(), AddressProblem::NoBrackets);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an address",
    label = "write `\"host:port\"`, `(host, port)`, a `SocketAddr` or the `Path` of a Unix socket"
)]
pub trait IntoAddress: sealed::Sealed {
    /// Converts it.
    ///
    /// # Errors
    /// [`AddressError`] with the text and what is wrong with it.
    fn into_address(self) -> Result<Address, AddressError>;
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {}
}

macro_rules! into_address {
    ($($type:ty: $address:ident => $result:expr;)*) => {$(
        impl sealed::Sealed for $type {}

        impl IntoAddress for $type {
            fn into_address(self) -> Result<Address, AddressError> {
                let $address = self;
                $result
            }
        }
    )*};
}

into_address! {
    Address: address => Ok(address);
    &Address: address => Ok(address.clone());
    &str: text => text.parse();
    String: text => text.parse();
    &String: text => text.parse();
    (&str, u16): address => host_and_port(address);
    (String, u16): address => host_and_port((&address.0, address.1));
    SocketAddr: address => Ok(address.into());
    (IpAddr, u16): address => Ok(address.into());
    &Path: path => Ok(path.into());
    PathBuf: path => Ok(path.into());
    &PathBuf: path => Ok(path.as_path().into());
}

fn host_and_port((host, port): (&str, u16)) -> Result<Address, AddressError> {
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok((ip, port).into()),
        Err(_) => format!("tcp://{host}:{port}").parse(),
    }
}
