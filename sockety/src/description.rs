//! What a service is, as plain data: for tools, gateways and generators.

use std::{borrow::Cow, mem};

use serde::{Deserialize, Serialize};

pub(crate) mod action;
pub(crate) mod error_variant;
pub(crate) mod limits;
pub(crate) mod parameter;
pub(crate) mod part_kind;
pub(crate) mod returned;
pub(crate) mod service_types;

pub use self::action::ActionDescription;
pub use self::limits::ActionLimits;
pub use self::parameter::ParameterDescription;
pub use self::part_kind::PartKind;
pub use self::returned::ReturnDescription;
pub use self::service_types::{ActionTypes, ServiceTypes, VisitTypes};

/// A service: its name, its documentation and its actions.
///
/// `MediaClient::DESCRIPTION` and `MediaServer::<S>::DESCRIPTION` are generated. Those of a peer are asked for
/// with [`describe`](crate::client::describe::describe()), if it serves them.
///
/// ```
/// use sockety::{describe::PartKind, service};
///
/// /// Stores clips.
/// #[service(prefix = "media.")]
/// pub trait Media {
///     /// Finds a clip.
///     #[action(idempotent, timeout = "2s")]
///     async fn find(&self, title: String) -> Option<u64>;
/// }
///
/// let media = MediaClient::DESCRIPTION;
/// assert_eq!((&*media.name, &*media.docs), ("Media", "Stores clips."));
/// let find = &media.actions[0];
/// assert_eq!(find.name, "media.find");
/// assert!(find.is_idempotent);
/// assert_eq!((&*find.parameters[0].name, find.parameters[0].kind), ("title", PartKind::Payload));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServiceDescription {
    /// The name of the trait.
    pub name: Cow<'static, str>,
    /// The documentation of the trait.
    #[serde(default)]
    pub docs: Cow<'static, str>,
    /// Its actions, in the order of the trait.
    pub actions: Cow<'static, [ActionDescription]>,
    /// How its values travel, as the JSON of the crate `sockety-schema`, if the peer says so; see
    /// [`Router::describe_with`](crate::serve::Router::describe_with). Like all that a peer sends, it may be anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Cow<'static, str>>,
}

impl ServiceDescription {
    /// A service without actions.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            docs: Cow::Borrowed(""),
            actions: Cow::Borrowed(&[]),
            schema: None,
        }
    }

    /// With this documentation.
    pub const fn docs(mut self, docs: &'static str) -> Self {
        set(&mut self.docs, Cow::Borrowed(docs));
        self
    }

    /// With these actions.
    pub const fn actions(mut self, actions: &'static [ActionDescription]) -> Self {
        set(&mut self.actions, Cow::Borrowed(actions));
        self
    }
}

/// Assigns in a `const fn`, where nothing may be dropped. What was there is borrowed: nothing leaks.
const fn set<T>(place: &mut T, value: T) {
    mem::forget(mem::replace(place, value));
}

/// The action under which a peer describes its services, when it does.
pub(crate) const ACTION: &str = "$sockety.describe";
