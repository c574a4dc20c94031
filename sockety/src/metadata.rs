//! What a message has besides its content: named entries, and the trace that it belongs to.
//!
//! Metadata needs a connection that [uses the extension](crate::Connection::is_extended): see
//! [`Options::extension`](crate::Options::extension).
//!
//! ```
//! use sockety::{Connection, Context, Options, metadata::MetadataKey, service};
//!
//! const TENANT: MetadataKey = MetadataKey::new("tenant");
//!
//! #[service]
//! trait Media {
//!     async fn title(&self, cx: &Context, id: u64) -> String;
//! }
//!
//! struct Store;
//!
//! impl Media for Store {
//!     async fn title(&self, cx: &Context, id: u64) -> String {
//!         let tenant = cx.metadata(TENANT).unwrap_or_default();
//!         format!("{} {id}", String::from_utf8_lossy(tenant))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::default();
//! let (near, far) = tokio::io::duplex(1024);
//! let (near, _far) = tokio::try_join!(
//!     Connection::over(near, sockety::Router::new(), options.clone()),
//!     Connection::over(far, MediaServer::new(Store), options),
//! )?;
//! let media = MediaClient::new(near);
//! assert_eq!(media.title(7).metadata(TENANT, "acme").await?, "acme 7");
//! # Ok(())
//! # }
//! ```

use std::{borrow::Cow, fmt, num::NonZeroU32, time::Duration};

use bytes::Bytes;
use sockety_codec::extension::metadata as wire;

pub use sockety_codec::extension::metadata::{Entry, Trace};

/// The name of an entry, checked when the program is compiled if it is a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetadataKey {
    name: &'static str,
    is_secret: bool,
    is_optional: bool,
}

impl MetadataKey {
    /// An entry of this name: 1 to 64 bytes of `a` to `z`, `0` to `9`, `.`, `_` and `-`, not beginning
    /// with `sockety-`.
    ///
    /// # Panics
    /// Panics if the name is not legal. In a constant, that is an error of the compiler.
    ///
    /// ```compile_fail
    /// use sockety::metadata::MetadataKey;
    ///
    /// const TENANT: MetadataKey = MetadataKey::new("Tenant");
    /// # let _ = TENANT;
    /// ```
    // r[impl ext.meta.user]
    pub const fn new(name: &'static str) -> Self {
        assert!(
            wire::is_name(name),
            "a name of metadata has 1 to 64 of a-z 0-9 . _ - and does not begin with sockety-"
        );
        Self::of(name)
    }

    /// Like [`new`](Self::new), for a name that is known only when the program runs, such as one from a
    /// configuration: `None` if it is not legal.
    ///
    /// ```
    /// use sockety::metadata::MetadataKey;
    ///
    /// assert!(MetadataKey::try_new("tenant").is_some());
    /// assert!(MetadataKey::try_new("Tenant").is_none());
    /// ```
    pub const fn try_new(name: &'static str) -> Option<Self> {
        match wire::is_name(name) {
            true => Some(Self::of(name)),
            false => None,
        }
    }

    const fn of(name: &'static str) -> Self {
        Self {
            name,
            is_secret: false,
            is_optional: false,
        }
    }

    /// The value of the entry is not shown: neither in logs nor by tools.
    // r[impl ext.meta.secret]
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// The entry is left out if the connection does not use the extension. Without this, the message
    /// is not sent then.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// What an answer says about another attempt: after what time, or that there should be none.
///
/// ```
/// use std::time::Duration;
/// use sockety::metadata::RetryAfter;
///
/// let soon = RetryAfter::from(Duration::from_millis(500));
/// assert_eq!(soon.wait(), Some(Duration::from_millis(500)));
/// assert_eq!(RetryAfter::NEVER.wait(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryAfter(NonZeroU32);

impl RetryAfter {
    /// Another attempt would come to the same: the caller should not repeat the message.
    pub const NEVER: Self = Self(NonZeroU32::MAX);

    /// The time before the next attempt; `None` if there should be none.
    pub fn wait(self) -> Option<Duration> {
        let millis = self.to_wire()?;
        Some(Duration::from_millis(millis.into()))
    }

    pub(crate) fn to_wire(self) -> Option<u32> {
        (self != Self::NEVER).then(|| self.0.get() - 1)
    }

    pub(crate) fn of_wire(millis: Option<u32>) -> Self {
        match millis {
            Some(millis) => Self(NonZeroU32::MIN.saturating_add(millis.min(u32::MAX - 2))),
            None => Self::NEVER,
        }
    }
}

/// In milliseconds, rounded up; at most 49 days.
impl From<Duration> for RetryAfter {
    fn from(wait: Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        Self::of_wire(Some(u32::try_from(millis).unwrap_or(u32::MAX)))
    }
}

impl fmt::Debug for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wait() {
            Some(wait) => write!(f, "RetryAfter({wait:?})"),
            None => f.write_str("RetryAfter::NEVER"),
        }
    }
}

/// The metadata of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<Owned>,
    trace: Option<Trace>,
    attempt: u8,
    /// Of a message that is to be sent. That of one that was received is a moment, and kept apart.
    deadline: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq)]
struct Owned {
    name: Cow<'static, str>,
    value: Bytes,
    is_secret: bool,
    is_optional: bool,
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_secret {
            true => write!(f, "{}: {} secret bytes", self.name, self.value.len()),
            false => write!(f, "{}: {:?}", self.name, self.value),
        }
    }
}

impl Metadata {
    /// The value of an entry.
    pub fn get(&self, key: MetadataKey) -> Option<&[u8]> {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| entry.name == key.name)?;
        Some(&entry.value)
    }

    /// The names of all entries, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// All entries, in the order in which they were added. What is [secret](Entry::is_secret) must not be shown.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(Owned::as_wire)
    }

    /// The trace that the message belongs to.
    pub fn trace(&self) -> Option<Trace> {
        self.trace
    }

    /// How often the message was sent before: 0 at first.
    pub fn attempt(&self) -> u8 {
        self.attempt
    }

    pub(crate) fn insert(&mut self, key: MetadataKey, value: Bytes) {
        let entry = Owned {
            name: Cow::Borrowed(key.name),
            value,
            is_secret: key.is_secret,
            is_optional: key.is_optional,
        };
        self.put(entry);
    }

    /// Adds an entry that was received, whose name is known only now.
    pub(crate) fn insert_entry(&mut self, entry: Entry<'_>) {
        let entry = Owned {
            name: Cow::Owned(entry.name.to_owned()),
            value: Bytes::copy_from_slice(entry.value),
            is_secret: entry.is_secret,
            is_optional: false,
        };
        self.put(entry);
    }

    fn put(&mut self, entry: Owned) {
        match self.entries.iter_mut().find(|it| it.name == entry.name) {
            Some(before) => *before = entry,
            None => self.entries.push(entry),
        }
    }

    pub(crate) fn set_trace(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    pub(crate) fn set_attempt(&mut self, attempt: u8) {
        self.attempt = attempt;
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    pub(crate) fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = Some(deadline);
    }

    /// An entry without which the message must not be sent.
    pub(crate) fn required(&self) -> Option<&str> {
        let mut entries = self.entries.iter();
        entries
            .find(|entry| !entry.is_optional)
            .map(|entry| &*entry.name)
    }

    /// Its entries as they are written.
    pub(crate) fn to_wire(&self) -> Vec<Entry<'_>> {
        self.entries().collect()
    }

    /// What was received; `None` if it is nothing.
    pub(crate) fn of_wire(found: &wire::Metadata<'_>) -> Option<Self> {
        let entries = found.entries.iter().map(|entry| Owned {
            name: Cow::Owned(entry.name.to_owned()),
            value: Bytes::copy_from_slice(entry.value),
            is_secret: entry.is_secret,
            is_optional: false,
        });
        let metadata = Self {
            entries: entries.collect(),
            trace: found.trace,
            attempt: found.attempt,
            deadline: None,
        };
        (metadata != Self::default()).then_some(metadata)
    }
}

impl Owned {
    fn as_wire(&self) -> Entry<'_> {
        Entry {
            name: &self.name,
            value: &self.value,
            is_secret: self.is_secret,
        }
    }
}
