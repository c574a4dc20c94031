use std::fmt;

use super::{
    Address, IntoAddress,
    error::{AddressError, AddressProblem},
};

/// The addresses that [`connect`](crate::connect) tries, in their order; at least one.
///
/// [`IntoAddresses`] makes it. Displayed, it is a list separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Addresses(Box<[Address]>);

impl Addresses {
    /// Returns the addresses, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Address> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Addresses {
    type Item = &'a Address;
    type IntoIter = std::slice::Iter<'a, Address>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Address> for Addresses {
    fn from(address: Address) -> Self {
        Self(Box::new([address]))
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{address}")?;
        }
        Ok(())
    }
}

/// What [`connect`](crate::connect) takes: one [address](IntoAddress), or an array, a slice or a
/// `Vec` of them. If one of them is no address, or there are none, awaiting it returns the error.
///
/// The trait is sealed.
///
/// ```
/// use sockety::{client::IntoAddresses, error::AddressProblem};
///
/// let replicas = ["media-1.internal:9000", "media-2.internal:9000"];
/// let addresses = replicas.into_addresses().unwrap();
/// assert_eq!(addresses.to_string(), "media-1.internal:9000, media-2.internal:9000");
///
/// let error = Vec::<String>::new().into_addresses().unwrap_err();
/// assert_eq!(error.problem(), AddressProblem::EmptyList);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an address nor a list of addresses",
    label = "write `\"host:port\"`, `(host, port)`, a `SocketAddr`, the `Path` of a Unix socket, or an array of these"
)]
pub trait IntoAddresses: sealed::Sealed {
    /// Converts it.
    ///
    /// # Errors
    /// [`AddressError`] with the text and what is wrong with it.
    fn into_addresses(self) -> Result<Addresses, AddressError>;
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {}
}

impl<A: IntoAddress> sealed::Sealed for A {}

impl<A: IntoAddress> IntoAddresses for A {
    fn into_addresses(self) -> Result<Addresses, AddressError> {
        Ok(self.into_address()?.into())
    }
}

impl<A: IntoAddress, const N: usize> sealed::Sealed for [A; N] {}

impl<A: IntoAddress, const N: usize> IntoAddresses for [A; N] {
    fn into_addresses(self) -> Result<Addresses, AddressError> {
        collect(self)
    }
}

impl<A: IntoAddress> sealed::Sealed for Vec<A> {}

impl<A: IntoAddress> IntoAddresses for Vec<A> {
    fn into_addresses(self) -> Result<Addresses, AddressError> {
        collect(self)
    }
}

impl<A: IntoAddress + Clone> sealed::Sealed for &[A] {}

impl<A: IntoAddress + Clone> IntoAddresses for &[A] {
    fn into_addresses(self) -> Result<Addresses, AddressError> {
        collect(self.iter().cloned())
    }
}

impl<A: IntoAddress + Clone> sealed::Sealed for &Vec<A> {}

impl<A: IntoAddress + Clone> IntoAddresses for &Vec<A> {
    fn into_addresses(self) -> Result<Addresses, AddressError> {
        collect(self.iter().cloned())
    }
}

impl sealed::Sealed for Addresses {}

impl IntoAddresses for Addresses {
    fn into_addresses(self) -> Result<Addresses, AddressError> {
        Ok(self)
    }
}

fn collect(
    addresses: impl IntoIterator<Item = impl IntoAddress>,
) -> Result<Addresses, AddressError> {
    let addresses: Box<[Address]> = addresses
        .into_iter()
        .map(IntoAddress::into_address)
        .collect::<Result<_, _>>()?;
    if addresses.is_empty() {
        return Err(AddressError::new("[]", AddressProblem::EmptyList));
    }
    Ok(Addresses(addresses))
}
