#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement the service `Media`",
    note = "to serve calls, write `impl Media for` a type of your own",
    note = "`MediaClient` calls a server and does not serve: take a `&MediaClient`, or implement `Media` for a type that holds one"
)]
trait Media {
    fn find(
        &self,
        title: String,
        limit: u32,
        offset: u32,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
const _: () = {
    struct __Service;
    impl<__S> ::sockety::__private::Uses<__Service> for ::core::marker::PhantomData<__S>
    where
        __S: Media + ::core::marker::Sync,
    {
        fn uses() {
            let _ = <__S as Media>::find;
        }
    }
};
/// A client of [`Media`], with a method for each action.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct MediaClient {
    connection: ::sockety::__private::Connection,
}
impl MediaClient {
    /// Creates a client that calls over `connection`, which may be shared with other code.
    fn new(connection: ::sockety::__private::Connection) -> Self {
        Self { connection }
    }
    /// Connects to `address` when awaited, and returns a client of the new connection.
    fn connect(
        address: impl ::sockety::__private::IntoAddress,
    ) -> ::sockety::__private::Connect<Self> {
        ::sockety::__private::connect(address)
    }
    /// Creates a client that connects to `address` when it is first used, and again when its
    /// connection has ended.
    ///
    /// `connect(address).reconnecting().client()` is the same, with options in between.
    fn reconnecting(address: impl ::sockety::__private::IntoAddress) -> Self {
        ::sockety::__private::reconnecting(address)
    }
    ::sockety::__private::fleet!(fn);
    /// Returns the connection that calls are sent over. Of a client that reconnects, it represents
    /// whichever is open.
    fn connection(&self) -> &::sockety::__private::Connection {
        &self.connection
    }
    /// Creates a client that calls `service` in this process, over an in-memory connection.
    ///
    /// This is meant for tests: `service` may be a mock, which is just another implementation.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    fn local(
        service: impl Media + ::core::marker::Send + ::core::marker::Sync + 'static,
    ) -> Self {
        ::sockety::__private::local(MediaServer {
            service: ::std::sync::Arc::new(service),
        })
    }
    /// Calls the action `find`.
    fn find(
        &self,
        title: String,
        limit: u32,
        offset: u32,
    ) -> ::sockety::__private::Call<(), ::sockety::__private::NoError> {
        ::sockety::__private::call(
            &self.connection,
            MediaDraft::find(title, limit, offset),
        )
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
/// Serves an implementation of [`Media`]. Add it to a router, or serve it alone.
struct MediaServer<S> {
    service: ::std::sync::Arc<S>,
}
impl<S> MediaServer<S> {
    /// Describes the service: its actions, with their parameters, results and errors.
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    /// Creates a server for `service`.
    fn new(service: S) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
    /// Creates a server for a service that is shared with other code.
    fn from_arc(service: ::std::sync::Arc<S>) -> Self {
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
/// Prepares calls of [`Media`], which can be sent later or several times.
#[derive(::core::fmt::Debug)]
struct MediaDraft;
impl MediaDraft {
    /// Prepares a call of the action `find`.
    fn find(
        title: String,
        limit: u32,
        offset: u32,
    ) -> ::sockety::__private::CallDraft<(), ::sockety::__private::NoError> {
        ::sockety::__private::call_draft::<
            (),
            ::sockety::__private::NoError,
        >(
            "find",
            ::sockety::__private::Content::new()
                .parameters(
                    3,
                    |__parameters| {
                        __parameters
                            .with(
                                "title",
                                ::sockety::__private::payload::<String>(),
                                &title,
                            )
                            .with(
                                "limit",
                                ::sockety::__private::payload::<u32>(),
                                &limit,
                            )
                            .with(
                                "offset",
                                ::sockety::__private::payload::<u32>(),
                                &offset,
                            );
                    },
                ),
            |__received| __received.payload(::sockety::__private::payload::<()>()),
        )
    }
}
#[automatically_derived]
impl<__S> ::sockety::__private::Service for MediaServer<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync + 'static,
{
    fn description(&self) -> &'static ::sockety::__private::ServiceDescription {
        Self::DESCRIPTION
    }
    fn dispatch(
        &self,
        __action: usize,
        __message: ::sockety::__private::IncomingMessage<
            ::sockety::__private::ReceivedPayload<'_>,
        >,
        __start: ::sockety::__private::Start<'_, '_>,
    ) -> ::sockety::__private::Begun {
        enum __Action {
            find,
        }
        const __ACTIONS: &[__Action] = &[__Action::find];
        match __ACTIONS[__action] {
            __Action::find => {
                let (__0, (__1, (__2, ()))) = match __message
                    .decode_all(MediaRequest::__find())
                {
                    ::core::result::Result::Ok(__value) => __value,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(
                            __message.into_reply().bad_request(__error),
                        );
                    }
                };
                let __reply = __message.into_reply();
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            <__S as Media>::find(&*__service, __0, __1, __2).await;
                            let __output = ();
                            (__service, __output)
                        },
                        |__reply, ()| __reply.unit(),
                    )
            }
        }
    }
}
/// A request to [`Media`]: an action with its parameters, except files and streams.
enum MediaRequest {
    /// The action `find`.
    Find {
        /// The parameter `title`.
        title: String,
        /// The parameter `limit`.
        limit: u32,
        /// The parameter `offset`.
        offset: u32,
    },
}
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            Self::Find { .. } => __formatter.write_str("Find { .. }"),
        }
    }
}
impl MediaRequest {
    /// The parameters of `find`.
    #[inline]
    fn __find() -> (
        ::sockety::__private::AliasedEntry<String>,
        (::sockety::__private::Entry<u32>, (::sockety::__private::AliasedEntry<u32>, ())),
    ) {
        (
            ::sockety::__private::parameter(
                    "title",
                    ::sockety::__private::payload::<String>(),
                )
                .or_named(&["text", "query"]),
            (
                ::sockety::__private::parameter(
                        "limit",
                        ::sockety::__private::payload::<u32>(),
                    )
                    .or_default(),
                (
                    ::sockety::__private::parameter(
                            "offset",
                            ::sockety::__private::payload::<u32>(),
                        )
                        .or_default()
                        .or_named(&["from"]),
                    (),
                ),
            ),
        )
    }
}
#[automatically_derived]
impl ::core::convert::TryFrom<&::sockety::__private::Message> for MediaRequest {
    type Error = ::sockety::__private::RequestMismatch;
    fn try_from(
        __message: &::sockety::__private::Message,
    ) -> ::core::result::Result<Self, ::sockety::__private::RequestMismatch> {
        match __message.action() {
            "find" => {
                let (__0, (__1, (__2, ()))) = ::sockety::__private::decode_all(
                    __message.payload(),
                    MediaRequest::__find(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Find {
                    title: __0,
                    limit: __1,
                    offset: __2,
                })
            }
            _ => {
                ::core::result::Result::Err(
                    ::sockety::__private::RequestMismatch::action(__message.action()),
                )
            }
        }
    }
}
#[automatically_derived]
impl ::core::convert::From<MediaRequest> for ::sockety::__private::Outgoing {
    fn from(__request: MediaRequest) -> Self {
        match __request {
            MediaRequest::Find { title, limit, offset } => {
                MediaDraft::find(title, limit, offset).into_outgoing()
            }
        }
    }
}
#[automatically_derived]
impl<__S> Media for &__S
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn find(
        &self,
        title: String,
        limit: u32,
        offset: u32,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::find(&**self, title, limit, offset)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::boxed::Box<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn find(
        &self,
        title: String,
        limit: u32,
        offset: u32,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::find(&**self, title, limit, offset)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::sync::Arc<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn find(
        &self,
        title: String,
        limit: u32,
        offset: u32,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::find(&**self, title, limit, offset)
    }
}
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
            "Media",
        )
        .actions(const {
            &[
                ::sockety::__private::ActionDescription::new("find")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                    "title",
                                    "String",
                                    ::sockety::__private::PartKind::Payload,
                                )
                                .aliases(const {
                                    &[
                                        ::std::borrow::Cow::Borrowed("text"),
                                        ::std::borrow::Cow::Borrowed("query"),
                                    ]
                                }),
                            ::sockety::__private::ParameterDescription::new(
                                    "limit",
                                    "u32",
                                    ::sockety::__private::PartKind::Payload,
                                )
                                .with_default(),
                            ::sockety::__private::ParameterDescription::new(
                                    "offset",
                                    "u32",
                                    ::sockety::__private::PartKind::Payload,
                                )
                                .aliases(const { &[::std::borrow::Cow::Borrowed("from")] })
                                .with_default(),
                        ]
                    }),
            ]
        });
}
#[automatically_derived]
#[allow(private_bounds)]
impl<__V> ::sockety::__private::ServiceTypes<__V> for MediaClient
where
    __V: ::sockety::__private::VisitTypes<
        ::sockety::__private::ActionTypes<(String, (u32, (u32, ()))), (), ()>,
    >,
{
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    fn visit_types(visitor: &mut __V) {
        ::sockety::__private::VisitTypes::<
            ::sockety::__private::ActionTypes<(String, (u32, (u32, ()))), (), ()>,
        >::visit(visitor);
    }
}
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    __sent::<String>();
    __sent::<u32>();
    __sent::<u32>();
};
