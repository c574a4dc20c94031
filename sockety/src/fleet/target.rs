//! Names of fleets as texts.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    discover::{Change, Changes, Discover, Endpoint, Losses},
    dns::Dns,
    error::{DiscoverError, TargetError, TargetProblem},
};
use crate::error::AddressError;

/// What names a fleet: a text, a list of endpoints, or any [`Discover`].
///
/// | Text | Servers |
/// | --- | --- |
/// | `a:9000,b:9000` | these [addresses](crate::Address); the name of each is resolved when it is connected to |
/// | `dns://bank:9000` | one at each address of a name, see [`Dns`] |
/// | `srv://_bank._tcp.example.com` | those in the SRV records of a name, see `Srv`; needs the feature `dns` |
pub trait IntoDiscover {
    /// Converts it. `losses` is for [`Discover::watch_losses`].
    ///
    /// # Errors
    /// [`TargetError`] with the text and what is wrong with it.
    fn into_changes(self, losses: Losses) -> Result<Changes, TargetError>;

    /// The name of the fleet in logs, metrics and errors, unless the builder sets one.
    fn name(&self) -> Option<Arc<str>> {
        None
    }
}

impl<D: Discover> IntoDiscover for D {
    fn into_changes(mut self, losses: Losses) -> Result<Changes, TargetError> {
        self.watch_losses(losses);
        Ok(self.changes())
    }

    fn name(&self) -> Option<Arc<str>> {
        Discover::name(self)
    }
}

impl IntoDiscover for &str {
    fn into_changes(self, losses: Losses) -> Result<Changes, TargetError> {
        parse(self, losses)
    }

    fn name(&self) -> Option<Arc<str>> {
        Some((*self).into())
    }
}

impl IntoDiscover for String {
    fn into_changes(self, losses: Losses) -> Result<Changes, TargetError> {
        parse(&self, losses)
    }

    fn name(&self) -> Option<Arc<str>> {
        Some(self.as_str().into())
    }
}

impl IntoDiscover for &String {
    fn into_changes(self, losses: Losses) -> Result<Changes, TargetError> {
        parse(self, losses)
    }

    fn name(&self) -> Option<Arc<str>> {
        Some(self.as_str().into())
    }
}

fn parse(text: &str, losses: Losses) -> Result<Changes, TargetError> {
    let error = |problem| TargetError::new(text, problem);
    match text.split_once("://") {
        Some(("dns", name)) => return Dns::parse(name).map_err(error)?.into_changes(losses),
        #[cfg(feature = "dns")]
        Some(("srv", name)) => {
            let srv = super::srv::Srv::parse(name).map_err(error)?;
            return srv.into_changes(losses);
        }
        #[cfg(not(feature = "dns"))]
        Some(("srv", _)) => return Err(error(TargetProblem::NeedsFeature("dns"))),
        Some(("etcd" | "etcds", _)) => return Err(error(TargetProblem::NeedsEtcd)),
        None | Some(("tcp" | "tls" | "unix", _)) => {}
        Some(_) => return Err(error(TargetProblem::UnknownScheme)),
    }
    let addresses = text.split(',').map(str::trim);
    let addresses = addresses.filter(|address| !address.is_empty());
    let invalid = |wrong: AddressError| {
        error(TargetProblem::Address {
            address: wrong.text().into(),
            problem: wrong.problem(),
        })
    };
    let endpoints = addresses.map(|address| Endpoint::new(address).map_err(invalid));
    let endpoints: Vec<_> = endpoints.collect::<Result<_, _>>()?;
    match endpoints.is_empty() {
        true => Err(error(TargetProblem::Empty)),
        false => Ok(endpoints.changes()),
    }
}

/// These servers, and no others.
impl Discover for Vec<Endpoint> {
    fn changes(self) -> Changes {
        Box::pin(Fixed(Some(self)))
    }

    /// Their addresses, as a text that names the fleet.
    fn name(&self) -> Option<Arc<str>> {
        let addresses: Vec<_> = self.iter().map(Endpoint::to_string).collect();
        Some(addresses.join(",").into())
    }
}

/// One snapshot. The stream ends after it.
struct Fixed(Option<Vec<Endpoint>>);

impl Stream for Fixed {
    type Item = Result<Change, DiscoverError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(|all| Ok(Change::Snapshot(all))))
    }
}
