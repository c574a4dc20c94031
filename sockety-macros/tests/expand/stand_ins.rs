::core::compile_error! {
    "an action is asynchronous: write `async fn find`"
}
::core::compile_error! {
    "many calls share a service: write `&self`"
}
::core::compile_error! {
    "what travels is owned: write `String`"
}
pub trait Media {
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<Output = Clip> + ::core::marker::Send;
    fn find(&mut self, text: &str) -> Clip;
}
/// Calls the actions of [`Media`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MediaClient {
    connection: ::sockety::__private::Connection,
}
#[allow(deprecated)]
impl MediaClient {
    /// The service as plain data.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
        "Media",
    );
    /// A client that calls over `connection`, which others may use too.
    pub fn new(connection: ::sockety::__private::Connection) -> Self {
        Self { connection }
    }
    /// Connects to `address` when awaited, and calls over the new connection.
    pub fn connect(
        address: impl ::core::convert::Into<::sockety::__private::Address>,
    ) -> ::sockety::__private::Connect<Self> {
        ::sockety::__private::connect(address)
    }
    /// The connection that the calls go over.
    pub fn connection(&self) -> &::sockety::__private::Connection {
        &self.connection
    }
    /// A client that calls `service` in this process.
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
/// Serves an implementation of [`Media`].
pub struct MediaServer<S> {
    service: ::std::sync::Arc<S>,
}
impl<S> MediaServer<S> {
    /// The service as plain data.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    /// Serves `service`.
    pub fn new(service: S) -> Self {
        Self::from_arc(::std::sync::Arc::new(service))
    }
    /// Serves a service that others hold too.
    pub fn from_arc(service: ::std::sync::Arc<S>) -> Self {
        Self { service }
    }
}
#[automatically_derived]
impl<S> ::core::clone::Clone for MediaServer<S> {
    fn clone(&self) -> Self {
        Self::from_arc(::core::clone::Clone::clone(&self.service))
    }
}
#[allow(deprecated)]
impl<
    S: ::core::marker::Send + ::core::marker::Sync + 'static,
> ::sockety::__private::Service for MediaServer<S> {
    fn description(&self) -> &'static ::sockety::__private::ServiceDescription {
        Self::DESCRIPTION
    }
    fn dispatch(
        &self,
        _: usize,
        _: ::sockety::__private::Delivery<'_>,
    ) -> ::sockety::__private::Dispatch {
        ::core::unreachable!()
    }
}
/// Prepares calls, to be sent later or often, of the actions of [`Media`].
#[derive(::core::fmt::Debug)]
pub struct MediaDraft;
#[allow(deprecated)]
impl MediaDraft {
    /// Drafts a call of the action `get`.
    pub fn get(
        id: u64,
    ) -> ::sockety::__private::CallDraft<Clip, ::sockety::__private::NoError> {
        let _ = (id,);
        ::core::unreachable!()
    }
}
/// What messages ask for, without files and streams, by the actions of [`Media`].
pub enum MediaRequest {
    /// The action `get`.
    Get {
        /// The parameter `id`.
        id: u64,
    },
}
#[allow(deprecated)]
impl ::core::convert::TryFrom<&::sockety::__private::Message> for MediaRequest {
    type Error = ::sockety::__private::RequestMismatch;
    fn try_from(
        _: &::sockety::__private::Message,
    ) -> ::core::result::Result<Self, Self::Error> {
        ::core::unreachable!()
    }
}
#[allow(deprecated)]
impl ::core::convert::From<MediaRequest> for ::sockety::__private::Outgoing {
    fn from(_: MediaRequest) -> Self {
        ::core::unreachable!()
    }
}
