//! Discovery by tower's trait, for fleets.

use std::{
    fmt::Display,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use sockety::{
    fleet::{Change, Changes, Discover, DiscoverError, Endpoint},
    serve::BoxError,
};
use tower::discover;

/// Servers of a fleet that a [`tower::discover::Discover`] finds: a stream of
/// [changes](tower::discover::Change) whose services are [`Endpoint`]s. The key of each is the text of tower's key.
///
/// An error of it is reported as [`DiscoverError::Unavailable`], and the servers stay. When it ends, they stay too.
///
/// ```
/// use futures_util::stream;
/// use sockety::fleet::{Endpoint, Fleet};
/// use sockety_tower::Discovered;
/// use tower::discover::Change;
///
/// #[sockety::service]
/// trait Bank {
///     async fn name(&self) -> String;
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let server = Endpoint::new("bank-1:9000")?;
/// let changes = stream::iter([Ok::<_, std::io::Error>(Change::Insert("one", server))]);
/// let fleet = BankClient::fleet(Discovered::new("bank", changes)).lazy()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Discovered<D> {
    name: Arc<str>,
    discover: D,
}

impl<D> Discovered<D> {
    /// What this finds. Errors call it by this name.
    pub fn new(name: impl Into<Arc<str>>, discover: D) -> Self {
        let name = name.into();
        Self { name, discover }
    }
}

impl<D> Discover for Discovered<D>
where
    D: discover::Discover<Service = Endpoint> + Send + 'static,
    D::Key: Display + Send,
    D::Error: Into<BoxError>,
{
    fn changes(self) -> Changes {
        Box::pin(Translated {
            name: self.name,
            discover: Box::pin(self.discover),
        })
    }
}

/// The same changes as the stream of a fleet.
struct Translated<D> {
    name: Arc<str>,
    discover: Pin<Box<D>>,
}

impl<D> Stream for Translated<D>
where
    D: discover::Discover<Service = Endpoint>,
    D::Key: Display,
    D::Error: Into<BoxError>,
{
    type Item = Result<Change, DiscoverError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let name = Arc::clone(&self.name);
        let next = self.discover.as_mut().poll_discover(cx);
        next.map(|change| {
            Some(match change? {
                Ok(discover::Change::Insert(key, endpoint)) => {
                    Ok(Change::Insert(endpoint.with_key(key.to_string())))
                }
                Ok(discover::Change::Remove(key)) => Ok(Change::Remove(key.to_string().into())),
                Err(error) => Err(DiscoverError::unavailable(name, error)),
            })
        })
    }
}
