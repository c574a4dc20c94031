use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    error_variant::ErrorVariant, limits::ActionLimits, parameter::ParameterDescription,
    returned::ReturnDescription, set,
};

/// An action of a service, see [`ServiceDescription`](crate::description::ServiceDescription).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionDescription {
    /// The name by which peers call it, prefix and all.
    pub name: Cow<'static, str>,
    /// Other names by which it is served.
    #[serde(default)]
    pub aliases: Cow<'static, [Cow<'static, str>]>,
    /// The documentation of the method.
    #[serde(default)]
    pub docs: Cow<'static, str>,
    /// Whether its callers expect no reply.
    #[serde(default)]
    pub is_one_way: bool,
    /// Whether executing it twice is as good as once.
    #[serde(default)]
    pub is_idempotent: bool,
    /// Whether each call is spawned as a task at once.
    #[serde(default)]
    pub is_spawned: bool,
    /// Whether its handler runs to its end, though its caller has cancelled or its deadline has passed.
    #[serde(default)]
    pub is_no_cancel: bool,
    /// How long callers wait for the reply; in milliseconds on the wire.
    #[serde(default, rename = "timeout_ms", with = "milliseconds")]
    pub timeout: Option<Duration>,
    /// What is refused before it is read.
    #[serde(default)]
    pub limits: ActionLimits,
    /// What its callers pass.
    #[serde(default)]
    pub parameters: Cow<'static, [ParameterDescription]>,
    /// What they get.
    #[serde(default)]
    pub returns: ReturnDescription,
    /// The errors that it may answer with.
    #[serde(default)]
    pub errors: Cow<'static, [ErrorVariant]>,
}

impl ActionDescription {
    /// An action without parameters, which returns nothing.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            aliases: Cow::Borrowed(&[]),
            docs: Cow::Borrowed(""),
            is_one_way: false,
            is_idempotent: false,
            is_spawned: false,
            is_no_cancel: false,
            timeout: None,
            limits: ActionLimits::none(),
            parameters: Cow::Borrowed(&[]),
            returns: ReturnDescription::nothing(),
            errors: Cow::Borrowed(&[]),
        }
    }

    /// All names by which it is served.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let aliases = self.aliases.iter().map(|alias| &**alias);
        std::iter::once(&*self.name).chain(aliases)
    }

    /// With these further names.
    pub const fn aliases(mut self, aliases: &'static [Cow<'static, str>]) -> Self {
        set(&mut self.aliases, Cow::Borrowed(aliases));
        self
    }

    /// With this documentation.
    pub const fn docs(mut self, docs: &'static str) -> Self {
        set(&mut self.docs, Cow::Borrowed(docs));
        self
    }

    /// Its callers expect no reply.
    pub const fn one_way(mut self) -> Self {
        self.is_one_way = true;
        self
    }

    /// Executing it twice is as good as once.
    pub const fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// Spawns each call as a task at once, instead of polling it where its message was read.
    pub const fn spawned(mut self) -> Self {
        self.is_spawned = true;
        self
    }

    /// Once begun, its handler runs to its end, though its caller has cancelled or its deadline has
    /// passed.
    pub const fn no_cancel(mut self) -> Self {
        self.is_no_cancel = true;
        self
    }

    /// Callers wait as long for the reply.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What is larger is refused before it is read.
    pub const fn limits(mut self, limits: ActionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// With these parameters.
    pub const fn parameters(mut self, parameters: &'static [ParameterDescription]) -> Self {
        set(&mut self.parameters, Cow::Borrowed(parameters));
        self
    }

    /// With what it returns.
    pub const fn returns(mut self, returns: ReturnDescription) -> Self {
        set(&mut self.returns, returns);
        self
    }

    /// With the errors that it may answer with.
    pub const fn errors(mut self, errors: &'static [ErrorVariant]) -> Self {
        set(&mut self.errors, Cow::Borrowed(errors));
        self
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the form that serde wants")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        time.map(milliseconds).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let milliseconds = Option::<u64>::deserialize(deserializer)?;
        Ok(milliseconds.map(Duration::from_millis))
    }
}
