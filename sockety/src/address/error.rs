/// A text that is no address, or an address that cannot be used here.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("address {text:?} {problem}")]
pub struct AddressError {
    text: Box<str>,
    problem: AddressProblem,
}

impl AddressError {
    pub(crate) fn new(text: &str, problem: AddressProblem) -> Self {
        let text = text.into();
        Self { text, problem }
    }

    /// Returns the text, as it was passed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what is wrong with it.
    pub fn problem(&self) -> AddressProblem {
        self.problem
    }
}

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// It has an unknown scheme.
    #[error("has a scheme other than tcp://, tls:// and unix://")]
    UnknownScheme,
    /// Nothing precedes the port.
    #[error("has no host")]
    NoHost,
    /// No colon and port follow the host.
    #[error("has no port")]
    NoPort,
    /// It is the path of a file, without `unix://`.
    #[error("is a path: write unix:// before it")]
    IsPath,
    /// What follows the last colon is not a number from 0 to 65,535.
    #[error("has an invalid port: must be 0 to 65535")]
    InvalidPort,
    /// It has several colons, like an IPv6 address without brackets.
    #[error("has more than one colon: write an IPv6 address in brackets")]
    NoBrackets,
    /// Nothing follows `unix://`.
    #[error("has no path")]
    NoPath,
    /// It is a list without an address.
    #[error("is an empty list")]
    EmptyList,
    /// The crate was built without its feature `tls`.
    #[error("needs the cargo feature `tls`")]
    NeedsTls,
    /// A server that has no certificate was bound to it.
    #[error("needs a certificate, see `Server::tls`")]
    NoCertificate,
    /// The operating system has no Unix sockets.
    #[error("needs Unix sockets, which this system does not have")]
    NeedsUnix,
}
