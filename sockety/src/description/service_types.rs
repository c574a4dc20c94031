use std::marker::PhantomData;

use super::ServiceDescription;

/// The types of a service, for code that is generic over all of them: exporters, generators, checks.
///
/// Generated clients, such as `MediaClient`, implement it. It asks nothing of the types: traits that are
/// implemented for the lists of [`Actions`](ServiceTypes::Actions) do, and so only users of these traits need types that
/// implement more than what travels has to.
///
/// ```
/// use std::any::type_name;
///
/// use sockety::{describe::{ActionTypes, ServiceTypes}, service};
///
/// #[service]
/// pub trait Media {
///     async fn find(&self, title: String) -> Option<u64>;
/// }
///
/// trait Names {
///     fn names() -> Vec<&'static str>;
/// }
///
/// impl Names for () {
///     fn names() -> Vec<&'static str> {
///         Vec::new()
///     }
/// }
///
/// impl<T, Rest: Names> Names for (T, Rest) {
///     fn names() -> Vec<&'static str> {
///         [type_name::<T>()].into_iter().chain(Rest::names()).collect()
///     }
/// }
///
/// fn parameters<P: Names, R, E>(_: fn() -> Option<ActionTypes<P, R, E>>) -> Vec<&'static str> {
///     P::names()
/// }
///
/// // The service has one action, which is the whole tree.
/// assert_eq!(parameters(|| None::<<MediaClient as ServiceTypes>::Actions>).len(), 1);
/// ```
pub trait ServiceTypes {
    /// What the service is.
    const DESCRIPTION: &'static ServiceDescription;

    /// [`ActionTypes`] of each action, as a tree of pairs whose leaves are in the order of
    /// [`ServiceDescription::actions`]: `((A, B), C)`. A leaf may also be `()`, which is no action.
    type Actions;
}

/// The types of an action, each a list as nested pairs: `(A, (B, ()))`. It has no values.
///
/// `P` has the types of the parameters that are values or streams of values, of which it has that of the items, in the
/// order of the method. `R` has those of what it returns, likewise, and `E` the type of its error, if it has one.
pub struct ActionTypes<P, R, E>(PhantomData<(P, R, E)>, NoValues);

enum NoValues {}
