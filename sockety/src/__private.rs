//! What generated code names, and nobody else: it may change with any version.

use bytes::Bytes;

pub use crate::{
    address::list::IntoAddresses as IntoAddress,
    client::{
        call::Call, call_draft::CallDraft, connect::Connect, pass::Pass, pass_draft::PassDraft,
    },
    connection::{Connection, service_client::ServiceClient},
    content::{byte_stream::ByteStream, file::File, streaming::Streaming},
    description::{
        ServiceDescription,
        action::ActionDescription,
        error_variant::ErrorVariant,
        limits::ActionLimits,
        parameter::ParameterDescription,
        part_kind::PartKind,
        returned::ReturnDescription,
        service_types::{ActionTypes, ServiceTypes, VisitTypes},
    },
    engine::{
        pending_reply::PendingReply,
        serve::ReceivedPayload,
        start::{Begun, OneWay, Start},
    },
    error::{
        connect::ConnectError,
        content::ContentError,
        mismatch::RequestMismatch,
        service::{NoError, ServiceError},
    },
    message::{
        outgoing::Outgoing,
        typed::{Content, Received},
    },
    msgpack::{
        __private::{AliasedEntry, Entries, Entry, Reader},
        Bounds, DecodeError,
    },
    payload::{
        format::{Format, payload},
        parameters::{ParameterWriter, decode_all, parameter},
        scratch::Buffer,
    },
    serve::{
        answer::{Answer, Answering, ErrorFormat, error},
        context::Context,
        incoming_message::IncomingMessage,
        message::Message,
        service::Service,
    },
};

/// What generated code implements to name the trait that it is generated for.
pub trait Uses<T> {
    /// Is never called.
    fn uses();
}

/// Is [`File`] alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has the name of `sockety::File`, but is another type: import it under another name",
    label = "`#[service]` recognizes files by the name `File`"
)]
pub trait NamedFile: Into<File> + From<File> {}

impl NamedFile for File {}

/// Is [`ByteStream`] alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has the name of `sockety::ByteStream`, but is another type: import it under another name",
    label = "`#[service]` recognizes streams of bytes by the name `ByteStream`"
)]
pub trait NamedByteStream: Into<ByteStream> + From<ByteStream> {}

impl NamedByteStream for ByteStream {}

/// Is [`Context`] alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has the name of `sockety::Context`, but is another type: import it under another name",
    label = "`#[service]` recognizes the context by the name `Context`"
)]
pub trait NamedContext {
    /// The context itself.
    fn of(context: &Context) -> &Self;
}

impl NamedContext for Context {
    #[inline]
    fn of(context: &Context) -> &Self {
        context
    }
}

/// A type that is recognized by its name, `N`, and must be `T`.
///
/// Like [`Format`], it is made by one function wherever a value travels, so the compiler shows a
/// type that is another one once.
pub struct Named<N, T> {
    give: fn(N) -> T,
    take: fn(T) -> N,
}

impl<N, T> Named<N, T> {
    /// A value to be sent.
    #[inline]
    pub fn give(&self, value: N) -> T {
        (self.give)(value)
    }

    /// Values to be sent.
    #[inline]
    pub fn give_all(&self, values: Vec<N>) -> Vec<T> {
        values.into_iter().map(self.give).collect()
    }

    /// A value that was received.
    ///
    /// # Errors
    /// The one that is passed.
    #[inline]
    pub fn take(&self, value: Result<T, ContentError>) -> Result<N, ContentError> {
        value.map(self.take)
    }

    /// Values that were received.
    #[inline]
    pub fn take_all(&self, values: Vec<T>) -> Vec<N> {
        values.into_iter().map(self.take).collect()
    }
}

/// What is called `File` in a signature.
#[inline]
pub fn named_file<F: NamedFile>() -> Named<F, File> {
    Named {
        give: F::into,
        take: F::from,
    }
}

/// What is called `ByteStream` in a signature.
#[inline]
pub fn named_bytes<B: NamedByteStream>() -> Named<B, ByteStream> {
    Named {
        give: B::into,
        take: B::from,
    }
}

/// The context of a call.
#[inline]
pub fn context<C: NamedContext>(context: &Context) -> &C {
    C::of(context)
}

/// A typed message, and what takes the result out of a response.
pub fn call_draft<T, E>(
    action: &'static str,
    content: Content,
    read: fn(&mut Received) -> Result<T, ContentError>,
) -> CallDraft<T, E> {
    CallDraft::new(action, content, read)
}

/// A typed one-way message.
pub fn pass_draft(action: &'static str, content: Content) -> PassDraft {
    PassDraft::new(action, content)
}

/// The parameter of a method.
///
/// # Errors
/// When the payload is not of its type.
#[inline]
pub fn decode<T>(payload: &Bytes, format: Format<T>) -> Result<T, DecodeError> {
    format.decode(payload, &Bounds::default())
}

/// A call of a method.
#[inline]
pub fn call<T, E>(connection: &Connection, draft: CallDraft<T, E>) -> Call<T, E> {
    Call::new(connection.clone(), draft)
}

/// A one-way message to a method.
pub fn pass(connection: &Connection, draft: PassDraft) -> Pass {
    Pass::new(connection.clone(), draft)
}

/// Connects for a client.
pub fn connect<C>(address: impl IntoAddress) -> Connect<C> {
    Connect::new(address.into_addresses())
}

/// A client that connects again by itself.
pub fn reconnecting<C: ServiceClient + 'static>(address: impl IntoAddress) -> C {
    connect(address).reconnecting().client()
}

/// The function of a client that makes one for many servers. Nothing without the feature, which generated code cannot know.
#[cfg(not(feature = "fleet"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __sockety_fleet {
    ($($before:tt)*) => {};
}

/// The function of a client that makes one for many servers.
#[cfg(feature = "fleet")]
#[doc(hidden)]
#[macro_export]
macro_rules! __sockety_fleet {
    ($(#[$attribute:meta])* $vis:vis fn) => {
        /// Makes a client of all servers that `target` names, such as `"a:9000,b:9000"`.
        $(#[$attribute])*
        $vis fn fleet(
            target: impl $crate::__private::IntoDiscover,
        ) -> $crate::__private::FleetBuilder<Self> {
            $crate::__private::Fleet::of(target)
        }
    };
}

pub use crate::__sockety_fleet as fleet;
#[cfg(feature = "fleet")]
pub use crate::fleet::{Fleet, FleetBuilder, IntoDiscover};

/// A client that calls a service in this process.
pub fn local<C: ServiceClient>(service: impl Service) -> C {
    C::new(crate::transport::local::local(service))
}
