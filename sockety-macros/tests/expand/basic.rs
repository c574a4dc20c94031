#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement the service `Media`",
    note = "to serve calls, write `impl Media for` a type of your own",
    note = "`MediaClient` calls a server and does not serve: take a `&MediaClient`, or implement `Media` for a type that holds one"
)]
/// Stores clips.
pub trait Media {
    /// Notes an event.
    fn track(
        &self,
        event: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send;
    fn rename(
        &self,
        id: u64,
        cx: &Context,
        title: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn remove(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send;
    fn count(&self) -> impl ::core::future::Future<Output = usize> + ::core::marker::Send
    where
        Self: ::core::marker::Sync,
    {
        async move { 0 }
    }
}
const _: () = {
    struct __Service;
    impl<__S> ::sockety::__private::Uses<__Service> for ::core::marker::PhantomData<__S>
    where
        __S: Media + ::core::marker::Sync,
    {
        fn uses() {
            let _ = <__S as Media>::track;
            let _ = <__S as Media>::get;
            let _ = <__S as Media>::rename;
            let _ = <__S as Media>::remove;
            let _ = <__S as Media>::count;
        }
    }
};
/// A client of [`Media`], with a method for each action.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MediaClient {
    connection: ::sockety::__private::Connection,
}
impl MediaClient {
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
    /// Creates a client that calls `service` in this process, over an in-memory connection.
    ///
    /// This is meant for tests: `service` may be a mock, which is just another implementation.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    pub fn local(
        service: impl Media + ::core::marker::Send + ::core::marker::Sync + 'static,
    ) -> Self {
        ::sockety::__private::local(MediaServer {
            service: ::std::sync::Arc::new(service),
        })
    }
    /// Notes an event.
    pub fn track(&self, event: String) -> ::sockety::__private::Pass {
        ::sockety::__private::pass(&self.connection, MediaDraft::track(event))
    }
    /// Calls the action `get`.
    pub fn get(&self, id: u64) -> ::sockety::__private::Call<Clip, MediaError> {
        ::sockety::__private::call(&self.connection, MediaDraft::get(id))
    }
    /// Calls the action `rename`.
    pub fn rename(
        &self,
        id: u64,
        title: String,
    ) -> ::sockety::__private::Call<(), ::sockety::__private::NoError> {
        ::sockety::__private::call(&self.connection, MediaDraft::rename(id, title))
    }
    /// Calls the action `remove`.
    pub fn remove(&self, id: u64) -> ::sockety::__private::Call<(), MediaError> {
        ::sockety::__private::call(&self.connection, MediaDraft::remove(id))
    }
    /// Calls the action `count`.
    pub fn count(
        &self,
    ) -> ::sockety::__private::Call<usize, ::sockety::__private::NoError> {
        ::sockety::__private::call(&self.connection, MediaDraft::count())
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
/// Prepares calls of [`Media`], which can be sent later or several times.
#[derive(::core::fmt::Debug)]
pub struct MediaDraft;
impl MediaDraft {
    /// Notes an event.
    pub fn track(event: String) -> ::sockety::__private::PassDraft {
        ::sockety::__private::pass_draft(
            "track",
            ::sockety::__private::Content::new()
                .payload(::sockety::__private::payload::<String>(), &event),
        )
    }
    /// Prepares a call of the action `get`.
    pub fn get(id: u64) -> ::sockety::__private::CallDraft<Clip, MediaError> {
        ::sockety::__private::call_draft::<
            Clip,
            MediaError,
        >(
            "get",
            ::sockety::__private::Content::new()
                .payload(::sockety::__private::payload::<u64>(), &id),
            |__received| __received.payload(::sockety::__private::payload::<Clip>()),
        )
    }
    /// Prepares a call of the action `rename`.
    pub fn rename(
        id: u64,
        title: String,
    ) -> ::sockety::__private::CallDraft<(), ::sockety::__private::NoError> {
        ::sockety::__private::call_draft::<
            (),
            ::sockety::__private::NoError,
        >(
            "rename",
            ::sockety::__private::Content::new()
                .parameters(
                    2,
                    |__parameters| {
                        __parameters
                            .with("id", ::sockety::__private::payload::<u64>(), &id)
                            .with(
                                "title",
                                ::sockety::__private::payload::<String>(),
                                &title,
                            );
                    },
                ),
            |__received| __received.payload(::sockety::__private::payload::<()>()),
        )
    }
    /// Prepares a call of the action `remove`.
    pub fn remove(id: u64) -> ::sockety::__private::CallDraft<(), MediaError> {
        ::sockety::__private::call_draft::<
            (),
            MediaError,
        >(
            "remove",
            ::sockety::__private::Content::new()
                .payload(::sockety::__private::payload::<u64>(), &id),
            |__received| __received.payload(::sockety::__private::payload::<()>()),
        )
    }
    /// Prepares a call of the action `count`.
    pub fn count() -> ::sockety::__private::CallDraft<
        usize,
        ::sockety::__private::NoError,
    > {
        ::sockety::__private::call_draft::<
            usize,
            ::sockety::__private::NoError,
        >(
            "count",
            ::sockety::__private::Content::new(),
            |__received| __received.payload(::sockety::__private::payload::<usize>()),
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
            track,
            get,
            rename,
            remove,
            count,
        }
        const __ACTIONS: &[__Action] = &[
            __Action::track,
            __Action::get,
            __Action::rename,
            __Action::remove,
            __Action::count,
        ];
        match __ACTIONS[__action] {
            __Action::track => {
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
                            <__S as Media>::track(&*__service, __0).await;
                            let __output = ();
                            (__service, __output)
                        },
                        |__reply, ()| __reply.unit(),
                    )
            }
            __Action::get => {
                let __0 = match __message.decode(::sockety::__private::payload::<u64>())
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
                            let __output = <__S as Media>::get(&*__service, __0).await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .value_result(
                                    ::sockety::__private::payload::<Clip>(),
                                    ::sockety::__private::error::<MediaError>(),
                                    __output,
                                )
                        },
                    )
            }
            __Action::rename => {
                let __context = __message.context();
                let (__0, (__2, ())) = match __message
                    .decode_all(MediaRequest::__rename())
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
                            <__S as Media>::rename(
                                    &*__service,
                                    __0,
                                    ::sockety::__private::context::<Context>(&__context),
                                    __2,
                                )
                                .await;
                            let __output = ();
                            (__service, __output)
                        },
                        |__reply, ()| __reply.unit(),
                    )
            }
            __Action::remove => {
                let __0 = match __message.decode(::sockety::__private::payload::<u64>())
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
                            let __output = <__S as Media>::remove(&*__service, __0)
                                .await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .unit_result(
                                    ::sockety::__private::error::<MediaError>(),
                                    __output,
                                )
                        },
                    )
            }
            __Action::count => {
                let __reply = __message.into_reply();
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            let __output = <__S as Media>::count(&*__service).await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .value(::sockety::__private::payload::<usize>(), __output)
                        },
                    )
            }
        }
    }
    fn one_way(
        &self,
        __action: usize,
        __message: ::sockety::__private::OneWay<'_, '_>,
    ) -> ::core::option::Option<::sockety::__private::Begun> {
        enum __Action {
            track,
            get,
            rename,
            remove,
            count,
        }
        const __ACTIONS: &[__Action] = &[
            __Action::track,
            __Action::get,
            __Action::rename,
            __Action::remove,
            __Action::count,
        ];
        match __ACTIONS[__action] {
            __Action::track => {
                let __0 = match __message
                    .decode(::sockety::__private::payload::<String>())
                {
                    ::core::result::Result::Ok(__value) => __value,
                    ::core::result::Result::Err(_) => return ::core::option::Option::None,
                };
                ::core::option::Option::Some(
                    __message
                        .run(
                            &self.service,
                            |__service| async move {
                                <__S as Media>::track(&*__service, __0).await;
                                (__service, ())
                            },
                        ),
                )
            }
            __Action::get => ::core::option::Option::None,
            __Action::rename => ::core::option::Option::None,
            __Action::remove => ::core::option::Option::None,
            __Action::count => ::core::option::Option::None,
        }
    }
}
/// A request to [`Media`]: an action with its parameters, except files and streams.
pub enum MediaRequest {
    /// Notes an event.
    Track {
        /// The parameter `event`.
        event: String,
    },
    /// The action `get`.
    Get {
        /// The parameter `id`.
        id: u64,
    },
    /// The action `rename`.
    Rename {
        /// The parameter `id`.
        id: u64,
        /// The parameter `title`.
        title: String,
    },
    /// The action `remove`.
    Remove {
        /// The parameter `id`.
        id: u64,
    },
    /// The action `count`.
    Count,
}
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            Self::Track { .. } => __formatter.write_str("Track { .. }"),
            Self::Get { .. } => __formatter.write_str("Get { .. }"),
            Self::Rename { .. } => __formatter.write_str("Rename { .. }"),
            Self::Remove { .. } => __formatter.write_str("Remove { .. }"),
            Self::Count { .. } => __formatter.write_str("Count"),
        }
    }
}
impl MediaRequest {
    /// The parameters of `rename`.
    #[inline]
    fn __rename() -> (
        ::sockety::__private::Entry<u64>,
        (::sockety::__private::Entry<String>, ()),
    ) {
        (
            ::sockety::__private::parameter(
                "id",
                ::sockety::__private::payload::<u64>(),
            ),
            (
                ::sockety::__private::parameter(
                    "title",
                    ::sockety::__private::payload::<String>(),
                ),
                (),
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
            "track" => {
                let __0 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<String>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Track { event: __0 })
            }
            "get" => {
                let __0 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<u64>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Get { id: __0 })
            }
            "rename" => {
                let (__0, (__2, ())) = ::sockety::__private::decode_all(
                    __message.payload(),
                    MediaRequest::__rename(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Rename {
                    id: __0,
                    title: __2,
                })
            }
            "remove" => {
                let __0 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<u64>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Remove { id: __0 })
            }
            "count" => ::core::result::Result::Ok(MediaRequest::Count),
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
            MediaRequest::Track { event } => MediaDraft::track(event).into_outgoing(),
            MediaRequest::Get { id } => MediaDraft::get(id).into_outgoing(),
            MediaRequest::Rename { id, title } => {
                MediaDraft::rename(id, title).into_outgoing()
            }
            MediaRequest::Remove { id } => MediaDraft::remove(id).into_outgoing(),
            MediaRequest::Count {} => MediaDraft::count().into_outgoing(),
        }
    }
}
#[automatically_derived]
impl<__S> Media for &__S
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn track(
        &self,
        event: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::track(&**self, event)
    }
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::get(&**self, id)
    }
    fn rename(
        &self,
        id: u64,
        cx: &Context,
        title: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::rename(&**self, id, cx, title)
    }
    fn remove(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::remove(&**self, id)
    }
    fn count(
        &self,
    ) -> impl ::core::future::Future<Output = usize> + ::core::marker::Send {
        <__S as Media>::count(&**self)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::boxed::Box<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn track(
        &self,
        event: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::track(&**self, event)
    }
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::get(&**self, id)
    }
    fn rename(
        &self,
        id: u64,
        cx: &Context,
        title: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::rename(&**self, id, cx, title)
    }
    fn remove(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::remove(&**self, id)
    }
    fn count(
        &self,
    ) -> impl ::core::future::Future<Output = usize> + ::core::marker::Send {
        <__S as Media>::count(&**self)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::sync::Arc<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn track(
        &self,
        event: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::track(&**self, event)
    }
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::get(&**self, id)
    }
    fn rename(
        &self,
        id: u64,
        cx: &Context,
        title: String,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::rename(&**self, id, cx, title)
    }
    fn remove(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::remove(&**self, id)
    }
    fn count(
        &self,
    ) -> impl ::core::future::Future<Output = usize> + ::core::marker::Send {
        <__S as Media>::count(&**self)
    }
}
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
            "Media",
        )
        .docs("Stores clips.")
        .actions(const {
            &[
                ::sockety::__private::ActionDescription::new("track")
                    .docs("Notes an event.")
                    .one_way()
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "event",
                                "String",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    }),
                ::sockety::__private::ActionDescription::new("get")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "id",
                                "u64",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    })
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "Clip",
                            &[::sockety::__private::PartKind::Payload],
                        ),
                    )
                    .errors(::sockety::__private::error::<MediaError>().variants),
                ::sockety::__private::ActionDescription::new("rename")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "id",
                                "u64",
                                ::sockety::__private::PartKind::Payload,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "title",
                                "String",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    }),
                ::sockety::__private::ActionDescription::new("remove")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "id",
                                "u64",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    })
                    .errors(::sockety::__private::error::<MediaError>().variants),
                ::sockety::__private::ActionDescription::new("count")
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "usize",
                            &[::sockety::__private::PartKind::Payload],
                        ),
                    ),
            ]
        });
}
#[automatically_derived]
#[allow(private_bounds)]
impl<__V> ::sockety::__private::ServiceTypes<__V> for MediaClient
where
    __V: ::sockety::__private::VisitTypes<
        (
            (
                (
                    ::sockety::__private::ActionTypes<(String, ()), (), ()>,
                    ::sockety::__private::ActionTypes<
                        (u64, ()),
                        (Clip, ()),
                        (MediaError, ()),
                    >,
                ),
                ::sockety::__private::ActionTypes<(u64, (String, ())), (), ()>,
            ),
            (
                ::sockety::__private::ActionTypes<(u64, ()), (), (MediaError, ())>,
                ::sockety::__private::ActionTypes<(), (usize, ()), ()>,
            ),
        ),
    >,
{
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    fn visit_types(visitor: &mut __V) {
        ::sockety::__private::VisitTypes::<
            (
                (
                    (
                        ::sockety::__private::ActionTypes<(String, ()), (), ()>,
                        ::sockety::__private::ActionTypes<
                            (u64, ()),
                            (Clip, ()),
                            (MediaError, ()),
                        >,
                    ),
                    ::sockety::__private::ActionTypes<(u64, (String, ())), (), ()>,
                ),
                (
                    ::sockety::__private::ActionTypes<(u64, ()), (), (MediaError, ())>,
                    ::sockety::__private::ActionTypes<(), (usize, ()), ()>,
                ),
            ),
        >::visit(visitor);
    }
}
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    __sent::<String>();
    __sent::<u64>();
    __sent::<Clip>();
    __sent::<u64>();
    __sent::<String>();
    __sent::<u64>();
    __sent::<usize>();
};
