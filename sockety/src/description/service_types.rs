use std::marker::PhantomData;

use super::ServiceDescription;

/// The types of a service, for code that is generic over all of them: exporters, generators, checks.
///
/// Generated clients, such as `MediaClient`, implement it for each visitor `V` that is a [`VisitTypes`] of their types. So a service
/// asks nothing of its types, which may be private: only users of a visitor need types that implement more than what
/// travels has to.
///
/// ```
/// use std::any::type_name;
///
/// use sockety::{describe::{ActionTypes, ServiceTypes, VisitTypes}, service};
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
/// #[derive(Default)]
/// struct Parameters(Vec<&'static str>);
///
/// // The service has one action, which is the whole tree.
/// impl<P: Names, R, E, S, O> VisitTypes<ActionTypes<P, R, E, S, O>> for Parameters {
///     fn visit(&mut self) {
///         self.0 = P::names();
///     }
/// }
///
/// let mut parameters = Parameters::default();
/// MediaClient::visit_types(&mut parameters);
/// assert_eq!(parameters.0, [type_name::<String>()]);
/// ```
pub trait ServiceTypes<V> {
    /// What the service is.
    const DESCRIPTION: &'static ServiceDescription;

    /// Has the types of the service visited.
    fn visit_types(visitor: &mut V);
}

/// A visitor of the types of a service.
///
/// `Actions` is [`ActionTypes`] of each action, as a tree of pairs whose leaves are in the order of
/// [`ServiceDescription::actions`]: `((A, B), C)`. A leaf may also be `()`, which is no action.
pub trait VisitTypes<Actions> {
    /// Visits them all.
    fn visit(&mut self);
}

/// The types of an action, each a list as nested pairs: `(A, (B, ()))`. It has no values.
///
/// `P` has the types of the parameters that are values or streams of values, of which it has that of the items, in the
/// order of the method. `R` has those of what it returns, likewise, and `E` the type of its error, if it has one. `S` has the type of
/// the error that may end the stream of values among the parameters, and `O` that of the stream which it returns.
pub struct ActionTypes<P, R, E, S = (), O = ()>(PhantomData<(P, R, E, S, O)>, NoValues);

enum NoValues {}
