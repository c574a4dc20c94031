::core::compile_error! {
    "a service method must be async: write `async fn find`"
}
::core::compile_error! {
    "a service is shared by concurrent calls: write `&self`"
}
::core::compile_error! {
    "values that are sent must be owned: write `String`"
}
pub trait Media {
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<Output = Clip> + ::core::marker::Send;
    fn find(&mut self, text: &str) -> Clip;
}
/// A client of [`Media`], with a method for each action.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MediaClient {
    connection: ::sockety::__private::Connection,
}
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
        "Media",
    );
    /// Creates a client that calls over `connection`, which may be shared with other code.
    pub fn new(connection: ::sockety::__private::Connection) -> Self {
        Self { connection }
    }
    /// Connects to `address` when awaited, and returns a client of the new connection.
    pub fn connect(
        address: impl ::sockety::__private::IntoAddress,
    ) -> ::sockety::__private::Connect<Self> {
        ::sockety::__private::connect(address)
    }
    /// Creates a client that connects to `address` when it is first used, and again when its
    /// connection has ended.
    ///
    /// `connect(address).reconnecting().client()` is the same, with options in between.
    pub fn reconnecting(address: impl ::sockety::__private::IntoAddress) -> Self {
        ::sockety::__private::reconnecting(address)
    }
    ::sockety::__private::fleet!(pub fn);
    /// Returns the connection that calls are sent over. Of a client that reconnects, it represents
    /// whichever is open.
    pub fn connection(&self) -> &::sockety::__private::Connection {
        &self.connection
    }
    /// Creates a client that calls `service` in this process.
    pub fn local<__S>(service: __S) -> Self {
        let _ = service;
        ::core::unreachable!()
    }
    /// Calls the action `get`.
    pub fn get(
        &self,
        id: u64,
    ) -> ::sockety::__private::Call<Clip, ::sockety::__private::NoError> {
        let _ = (id,);
        ::core::unreachable!()
    }
}
#[automatically_derived]
impl ::sockety::__private::ServiceClient for MediaClient {
    fn new(connection: ::sockety::__private::Connection) -> Self {
        Self { connection }
    }
    fn connection(&self) -> &::sockety::__private::Connection {
        &self.connection
    }
}
#[automatically_derived]
#[allow(private_bounds)]
impl<__V> ::sockety::__private::ServiceTypes<__V> for MediaClient
where
    __V: ::sockety::__private::VisitTypes<()>,
{
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    fn visit_types(visitor: &mut __V) {
        ::sockety::__private::VisitTypes::<()>::visit(visitor);
    }
}
/// Serves an implementation of [`Media`]. Add it to a router, or serve it alone.
pub struct MediaServer<S> {
    service: ::std::sync::Arc<S>,
}
impl<S> MediaServer<S> {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    /// Creates a server for `service`.
    pub fn new(service: S) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
    /// Creates a server for a service that is shared with other code.
    pub fn from_arc(service: ::std::sync::Arc<S>) -> Self {
        Self { service }
    }
}
#[automatically_derived]
impl<S> ::core::clone::Clone for MediaServer<S> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
#[automatically_derived]
impl<S> ::core::fmt::Debug for MediaServer<S> {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __formatter.debug_struct("MediaServer").finish_non_exhaustive()
    }
}
impl<
    S: ::core::marker::Send + ::core::marker::Sync + 'static,
> ::sockety::__private::Service for MediaServer<S> {
    fn description(&self) -> &'static ::sockety::__private::ServiceDescription {
        Self::DESCRIPTION
    }
    fn dispatch(
        &self,
        _: usize,
        _: ::sockety::__private::IncomingMessage<
            ::sockety::__private::ReceivedPayload<'_>,
        >,
        _: ::sockety::__private::Start<'_, '_>,
    ) -> ::sockety::__private::Begun {
        ::core::unreachable!()
    }
}
/// Prepares calls of [`Media`], which can be sent later or several times.
#[derive(::core::fmt::Debug)]
pub struct MediaDraft;
impl MediaDraft {
    /// Prepares a call of the action `get`.
    pub fn get(
        id: u64,
    ) -> ::sockety::__private::CallDraft<Clip, ::sockety::__private::NoError> {
        let _ = (id,);
        ::core::unreachable!()
    }
}
/// A request to [`Media`]: an action with its parameters, except files and streams.
pub enum MediaRequest {
    /// The action `get`.
    Get {
        /// The parameter `id`.
        id: u64,
    },
}
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            Self::Get { .. } => __formatter.write_str("Get { .. }"),
        }
    }
}
impl ::core::convert::TryFrom<&::sockety::__private::Message> for MediaRequest {
    type Error = ::sockety::__private::RequestMismatch;
    fn try_from(
        _: &::sockety::__private::Message,
    ) -> ::core::result::Result<Self, ::sockety::__private::RequestMismatch> {
        ::core::unreachable!()
    }
}
impl ::core::convert::From<MediaRequest> for ::sockety::__private::Outgoing {
    fn from(_: MediaRequest) -> Self {
        ::core::unreachable!()
    }
}
