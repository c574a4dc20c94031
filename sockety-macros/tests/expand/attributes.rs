#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement the service `Media`",
    note = "to serve calls, write `impl Media for` a type of your own",
    note = "`MediaClient` calls a server and does not serve: take a `&MediaClient`, or implement `Media` for a type that holds one"
)]
#[cfg(feature = "media")]
trait Media {
    /// Finds a clip.
    #[cfg(feature = "search")]
    #[cfg_attr(docsrs, doc(cfg(feature = "search")))]
    fn find(
        &self,
        text: String,
        limit: u32,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send;
    #[allow(non_snake_case)]
    fn findOld(
        &self,
        text: String,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send;
}
#[cfg(feature = "media")]
const _: () = {
    struct __Service;
    impl<__S> ::sockety::__private::Uses<__Service> for ::core::marker::PhantomData<__S>
    where
        __S: Media + ::core::marker::Sync,
    {
        fn uses() {
            #[cfg(feature = "search")]
            let _ = <__S as Media>::find;
            let _ = <__S as Media>::findOld;
        }
    }
};
#[cfg(feature = "media")]
/// A client of [`Media`], with a method for each action.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct MediaClient {
    connection: ::sockety::__private::Connection,
}
#[cfg(feature = "media")]
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
    #[cfg(feature = "search")]
    /// Finds a clip.
    #[cfg_attr(docsrs, doc(cfg(feature = "search")))]
    fn find(
        &self,
        text: String,
        limit: u32,
    ) -> ::sockety::__private::Call<Vec<Clip>, ::sockety::__private::NoError> {
        ::sockety::__private::call(&self.connection, MediaDraft::find(text, limit))
    }
    /// Calls the action `findOld`.
    #[deprecated = "use `find`"]
    #[allow(non_snake_case)]
    fn findOld(
        &self,
        text: String,
    ) -> ::sockety::__private::Call<Vec<Clip>, ::sockety::__private::NoError> {
        ::sockety::__private::call(
            &self.connection,
            ::sockety::__private::call_draft::<
                Vec<Clip>,
                ::sockety::__private::NoError,
            >(
                "findOld",
                ::sockety::__private::Content::new()
                    .payload(::sockety::__private::payload::<String>(), &text),
                |__received| {
                    __received.payload(::sockety::__private::payload::<Vec<Clip>>())
                },
            ),
        )
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl ::sockety::__private::ServiceClient for MediaClient {
    fn new(connection: ::sockety::__private::Connection) -> Self {
        Self { connection }
    }
    fn connection(&self) -> &::sockety::__private::Connection {
        &self.connection
    }
}
#[cfg(feature = "media")]
/// Serves an implementation of [`Media`]. Add it to a router, or serve it alone.
struct MediaServer<S> {
    service: ::std::sync::Arc<S>,
}
#[cfg(feature = "media")]
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
#[cfg(feature = "media")]
#[automatically_derived]
impl<S> ::core::clone::Clone for MediaServer<S> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl<S> ::core::fmt::Debug for MediaServer<S> {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __formatter.debug_struct("MediaServer").finish_non_exhaustive()
    }
}
#[cfg(feature = "media")]
/// Prepares calls of [`Media`], which can be sent later or several times.
#[derive(::core::fmt::Debug)]
struct MediaDraft;
#[cfg(feature = "media")]
impl MediaDraft {
    #[cfg(feature = "search")]
    /// Finds a clip.
    #[cfg_attr(docsrs, doc(cfg(feature = "search")))]
    fn find(
        text: String,
        limit: u32,
    ) -> ::sockety::__private::CallDraft<Vec<Clip>, ::sockety::__private::NoError> {
        ::sockety::__private::call_draft::<
            Vec<Clip>,
            ::sockety::__private::NoError,
        >(
            "find",
            ::sockety::__private::Content::new()
                .parameters(
                    2,
                    |__parameters| {
                        __parameters
                            .with(
                                "text",
                                ::sockety::__private::payload::<String>(),
                                &text,
                            )
                            .with(
                                "limit",
                                ::sockety::__private::payload::<u32>(),
                                &limit,
                            );
                    },
                ),
            |__received| __received.payload(::sockety::__private::payload::<Vec<Clip>>()),
        )
    }
    /// Prepares a call of the action `findOld`.
    #[deprecated = "use `find`"]
    #[allow(non_snake_case)]
    fn findOld(
        text: String,
    ) -> ::sockety::__private::CallDraft<Vec<Clip>, ::sockety::__private::NoError> {
        ::sockety::__private::call_draft::<
            Vec<Clip>,
            ::sockety::__private::NoError,
        >(
            "findOld",
            ::sockety::__private::Content::new()
                .payload(::sockety::__private::payload::<String>(), &text),
            |__received| __received.payload(::sockety::__private::payload::<Vec<Clip>>()),
        )
    }
}
#[cfg(feature = "media")]
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
            #[cfg(feature = "search")]
            find,
            findOld,
        }
        const __ACTIONS: &[__Action] = &[
            #[cfg(feature = "search")]
            __Action::find,
            __Action::findOld,
        ];
        match __ACTIONS[__action] {
            #[cfg(feature = "search")]
            __Action::find => {
                let (__0, (__1, ())) = match __message.decode_all(MediaRequest::__find())
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
                            let __output = <__S as Media>::find(&*__service, __0, __1)
                                .await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .value(
                                    ::sockety::__private::payload::<Vec<Clip>>(),
                                    __output,
                                )
                        },
                    )
            }
            __Action::findOld => {
                let __0 = match __message
                    .decode(::sockety::__private::payload::<String>())
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
                            let __output = <__S as Media>::findOld(&*__service, __0)
                                .await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .value(
                                    ::sockety::__private::payload::<Vec<Clip>>(),
                                    __output,
                                )
                        },
                    )
            }
        }
    }
}
#[cfg(feature = "media")]
/// A request to [`Media`]: an action with its parameters, except files and streams.
enum MediaRequest {
    #[cfg(feature = "search")]
    /// Finds a clip.
    #[cfg_attr(docsrs, doc(cfg(feature = "search")))]
    Find {
        /// The parameter `text`.
        text: String,
        /// The parameter `limit`.
        limit: u32,
    },
    /// The action `findOld`.
    #[allow(non_snake_case)]
    FindOld {
        /// The parameter `text`.
        text: String,
    },
}
#[cfg(feature = "media")]
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            #[cfg(feature = "search")]
            Self::Find { .. } => __formatter.write_str("Find { .. }"),
            Self::FindOld { .. } => __formatter.write_str("FindOld { .. }"),
        }
    }
}
#[cfg(feature = "media")]
impl MediaRequest {
    #[cfg(feature = "search")]
    /// The parameters of `find`.
    #[inline]
    fn __find() -> (
        ::sockety::__private::Entry<String>,
        (::sockety::__private::Entry<u32>, ()),
    ) {
        (
            ::sockety::__private::parameter(
                "text",
                ::sockety::__private::payload::<String>(),
            ),
            (
                ::sockety::__private::parameter(
                    "limit",
                    ::sockety::__private::payload::<u32>(),
                ),
                (),
            ),
        )
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl ::core::convert::TryFrom<&::sockety::__private::Message> for MediaRequest {
    type Error = ::sockety::__private::RequestMismatch;
    fn try_from(
        __message: &::sockety::__private::Message,
    ) -> ::core::result::Result<Self, ::sockety::__private::RequestMismatch> {
        match __message.action() {
            #[cfg(feature = "search")]
            "find" => {
                let (__0, (__1, ())) = ::sockety::__private::decode_all(
                    __message.payload(),
                    MediaRequest::__find(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Find {
                    text: __0,
                    limit: __1,
                })
            }
            "findOld" => {
                let __0 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<String>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::FindOld { text: __0 })
            }
            _ => {
                ::core::result::Result::Err(
                    ::sockety::__private::RequestMismatch::action(__message.action()),
                )
            }
        }
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl ::core::convert::From<MediaRequest> for ::sockety::__private::Outgoing {
    fn from(__request: MediaRequest) -> Self {
        match __request {
            #[cfg(feature = "search")]
            MediaRequest::Find { text, limit } => {
                MediaDraft::find(text, limit).into_outgoing()
            }
            MediaRequest::FindOld { text } => {
                ::sockety::__private::call_draft::<
                    Vec<Clip>,
                    ::sockety::__private::NoError,
                >(
                        "findOld",
                        ::sockety::__private::Content::new()
                            .payload(::sockety::__private::payload::<String>(), &text),
                        |__received| {
                            __received
                                .payload(::sockety::__private::payload::<Vec<Clip>>())
                        },
                    )
                    .into_outgoing()
            }
        }
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl<__S> Media for &__S
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    #[cfg(feature = "search")]
    fn find(
        &self,
        text: String,
        limit: u32,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send {
        <__S as Media>::find(&**self, text, limit)
    }
    fn findOld(
        &self,
        text: String,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send {
        <__S as Media>::findOld(&**self, text)
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl<__S> Media for ::std::boxed::Box<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    #[cfg(feature = "search")]
    fn find(
        &self,
        text: String,
        limit: u32,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send {
        <__S as Media>::find(&**self, text, limit)
    }
    fn findOld(
        &self,
        text: String,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send {
        <__S as Media>::findOld(&**self, text)
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl<__S> Media for ::std::sync::Arc<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    #[cfg(feature = "search")]
    fn find(
        &self,
        text: String,
        limit: u32,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send {
        <__S as Media>::find(&**self, text, limit)
    }
    fn findOld(
        &self,
        text: String,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send {
        <__S as Media>::findOld(&**self, text)
    }
}
#[cfg(feature = "media")]
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
            "Media",
        )
        .actions(const {
            &[
                #[cfg(feature = "search")]
                ::sockety::__private::ActionDescription::new("find")
                    .docs("Finds a clip.")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "text",
                                "String",
                                ::sockety::__private::PartKind::Payload,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "limit",
                                "u32",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    })
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "Vec<Clip>",
                            &[::sockety::__private::PartKind::Payload],
                        ),
                    ),
                ::sockety::__private::ActionDescription::new("findOld")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "text",
                                "String",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    })
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "Vec<Clip>",
                            &[::sockety::__private::PartKind::Payload],
                        ),
                    ),
            ]
        });
}
#[cfg(feature = "media")]
const _: () = {
    #[cfg(feature = "search")]
    type __Action0 = ::sockety::__private::ActionTypes<
        (String, (u32, ())),
        (Vec<Clip>, ()),
        (),
    >;
    #[cfg(not(all(feature = "search")))]
    type __Action0 = ();
    type __Action1 = ::sockety::__private::ActionTypes<
        (String, ()),
        (Vec<Clip>, ()),
        (),
    >;
    #[cfg(feature = "media")]
    #[automatically_derived]
    #[allow(private_bounds)]
    impl<__V> ::sockety::__private::ServiceTypes<__V> for MediaClient
    where
        __V: ::sockety::__private::VisitTypes<(__Action0, __Action1)>,
    {
        const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
        fn visit_types(visitor: &mut __V) {
            ::sockety::__private::VisitTypes::<(__Action0, __Action1)>::visit(visitor);
        }
    }
};
#[cfg(feature = "media")]
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    #[cfg(feature = "search")] __sent::<String>();
    #[cfg(feature = "search")] __sent::<u32>();
    #[cfg(feature = "search")] __sent::<Vec<Clip>>();
    __sent::<String>();
    __sent::<Vec<Clip>>();
};
