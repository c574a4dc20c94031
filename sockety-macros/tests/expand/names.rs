#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement the service `Media`",
    note = "to serve calls, write `impl Media for` a type of your own",
    note = "`MediaClient` calls a server and does not serve: take a `&MediaClient`, or implement `Media` for a type that holds one"
)]
pub(crate) trait Media: Send + Sync {
    fn get(
        &self,
        id: u64,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = Clip> + ::core::marker::Send;
    fn r#move(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
const _: () = {
    struct __Service;
    impl<__S> ::facade::rpc::__private::Uses<__Service>
    for ::core::marker::PhantomData<__S>
    where
        __S: Media + ::core::marker::Sync,
    {
        fn uses() {
            let _ = <__S as Media>::get;
            let _ = <__S as Media>::r#move;
        }
    }
};
/// A client of [`Media`], with a method for each action.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct MediaClient {
    connection: ::facade::rpc::__private::Connection,
}
impl MediaClient {
    /// Creates a client that calls over `connection`, which may be shared with other code.
    pub(crate) fn new(connection: ::facade::rpc::__private::Connection) -> Self {
        Self { connection }
    }
    /// Connects to `address` when awaited, and returns a client of the new connection.
    pub(crate) fn connect(
        address: impl ::facade::rpc::__private::IntoAddress,
    ) -> ::facade::rpc::__private::Connect<Self> {
        ::facade::rpc::__private::connect(address)
    }
    /// Creates a client that connects to `address` when it is first used, and again when its
    /// connection has ended.
    ///
    /// `connect(address).reconnecting().client()` is the same, with options in between.
    pub(crate) fn reconnecting(
        address: impl ::facade::rpc::__private::IntoAddress,
    ) -> Self {
        ::facade::rpc::__private::reconnecting(address)
    }
    ::facade::rpc::__private::fleet!(pub (crate) fn);
    /// Returns the connection that calls are sent over. Of a client that reconnects, it represents
    /// whichever is open.
    pub(crate) fn connection(&self) -> &::facade::rpc::__private::Connection {
        &self.connection
    }
    /// Creates a client that calls `service` in this process, over an in-memory connection.
    ///
    /// This is meant for tests: `service` may be a mock, which is just another implementation.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    pub(crate) fn local(
        service: impl Media + ::core::marker::Send + ::core::marker::Sync + 'static,
    ) -> Self {
        ::facade::rpc::__private::local(MediaServer {
            service: ::std::sync::Arc::new(service),
        })
    }
    /// Calls the action `media.fetch`.
    pub(crate) fn get(
        &self,
        id: u64,
        r#type: Kind,
    ) -> ::facade::rpc::__private::Call<Clip, ::facade::rpc::__private::NoError> {
        ::facade::rpc::__private::call(&self.connection, MediaDraft::get(id, r#type))
    }
    /// Calls the action `media.move`.
    pub(crate) fn r#move(
        &self,
    ) -> ::facade::rpc::__private::Call<(), ::facade::rpc::__private::NoError> {
        ::facade::rpc::__private::call(&self.connection, MediaDraft::r#move())
    }
}
#[automatically_derived]
impl ::facade::rpc::__private::ServiceClient for MediaClient {
    fn new(connection: ::facade::rpc::__private::Connection) -> Self {
        Self { connection }
    }
    fn connection(&self) -> &::facade::rpc::__private::Connection {
        &self.connection
    }
}
/// Serves an implementation of [`Media`]. Add it to a router, or serve it alone.
pub(crate) struct MediaServer<S> {
    service: ::std::sync::Arc<S>,
}
impl<S> MediaServer<S> {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub(crate) const DESCRIPTION: &'static ::facade::rpc::__private::ServiceDescription = MediaClient::DESCRIPTION;
    /// Creates a server for `service`.
    pub(crate) fn new(service: S) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
    /// Creates a server for a service that is shared with other code.
    pub(crate) fn from_arc(service: ::std::sync::Arc<S>) -> Self {
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
pub(crate) struct MediaDraft;
impl MediaDraft {
    /// Prepares a call of the action `media.fetch`.
    pub(crate) fn get(
        id: u64,
        r#type: Kind,
    ) -> ::facade::rpc::__private::CallDraft<Clip, ::facade::rpc::__private::NoError> {
        ::facade::rpc::__private::call_draft::<
            Clip,
            ::facade::rpc::__private::NoError,
        >(
            "media.fetch",
            ::facade::rpc::__private::Content::new()
                .parameters(
                    2,
                    |__parameters| {
                        __parameters
                            .with("id", ::facade::rpc::__private::payload::<u64>(), &id)
                            .with(
                                "type",
                                ::facade::rpc::__private::payload::<Kind>(),
                                &r#type,
                            );
                    },
                ),
            |__received| __received.payload(::facade::rpc::__private::payload::<Clip>()),
        )
    }
    /// Prepares a call of the action `media.move`.
    pub(crate) fn r#move() -> ::facade::rpc::__private::CallDraft<
        (),
        ::facade::rpc::__private::NoError,
    > {
        ::facade::rpc::__private::call_draft::<
            (),
            ::facade::rpc::__private::NoError,
        >(
            "media.move",
            ::facade::rpc::__private::Content::new(),
            |__received| __received.payload(::facade::rpc::__private::payload::<()>()),
        )
    }
}
#[automatically_derived]
impl<__S> ::facade::rpc::__private::Service for MediaServer<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync + 'static,
{
    fn description(&self) -> &'static ::facade::rpc::__private::ServiceDescription {
        Self::DESCRIPTION
    }
    fn dispatch(
        &self,
        __action: usize,
        __message: ::facade::rpc::__private::IncomingMessage<
            ::facade::rpc::__private::ReceivedPayload<'_>,
        >,
        __start: ::facade::rpc::__private::Start<'_, '_>,
    ) -> ::facade::rpc::__private::Begun {
        enum __Action {
            get,
            r#move,
        }
        const __ACTIONS: &[__Action] = &[__Action::get, __Action::r#move];
        match __ACTIONS[__action] {
            __Action::get => {
                let (__0, (__1, ())) = match __message.decode_all(MediaRequest::__get())
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
                            let __output = <__S as Media>::get(&*__service, __0, __1)
                                .await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .value(
                                    ::facade::rpc::__private::payload::<Clip>(),
                                    __output,
                                )
                        },
                    )
            }
            __Action::r#move => {
                let __reply = __message.into_reply();
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            <__S as Media>::r#move(&*__service).await;
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
pub(crate) enum MediaRequest {
    /// The action `media.fetch`.
    Get {
        /// The parameter `id`.
        id: u64,
        /// The parameter `type`.
        r#type: Kind,
    },
    /// The action `media.move`.
    Move,
}
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            Self::Get { .. } => __formatter.write_str("Get { .. }"),
            Self::Move { .. } => __formatter.write_str("Move"),
        }
    }
}
impl MediaRequest {
    /// The parameters of `get`.
    #[inline]
    fn __get() -> (
        ::facade::rpc::__private::Entry<u64>,
        (::facade::rpc::__private::Entry<Kind>, ()),
    ) {
        (
            ::facade::rpc::__private::parameter(
                "id",
                ::facade::rpc::__private::payload::<u64>(),
            ),
            (
                ::facade::rpc::__private::parameter(
                    "type",
                    ::facade::rpc::__private::payload::<Kind>(),
                ),
                (),
            ),
        )
    }
}
#[automatically_derived]
impl ::core::convert::TryFrom<&::facade::rpc::__private::Message> for MediaRequest {
    type Error = ::facade::rpc::__private::RequestMismatch;
    fn try_from(
        __message: &::facade::rpc::__private::Message,
    ) -> ::core::result::Result<Self, ::facade::rpc::__private::RequestMismatch> {
        match __message.action() {
            "media.fetch" => {
                let (__0, (__1, ())) = ::facade::rpc::__private::decode_all(
                    __message.payload(),
                    MediaRequest::__get(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Get {
                    id: __0,
                    r#type: __1,
                })
            }
            "media.move" => ::core::result::Result::Ok(MediaRequest::Move),
            _ => {
                ::core::result::Result::Err(
                    ::facade::rpc::__private::RequestMismatch::action(__message.action()),
                )
            }
        }
    }
}
#[automatically_derived]
impl ::core::convert::From<MediaRequest> for ::facade::rpc::__private::Outgoing {
    fn from(__request: MediaRequest) -> Self {
        match __request {
            MediaRequest::Get { id, r#type } => {
                MediaDraft::get(id, r#type).into_outgoing()
            }
            MediaRequest::Move {} => MediaDraft::r#move().into_outgoing(),
        }
    }
}
#[automatically_derived]
impl<__S> Media for &__S
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
    Self: Send + Sync,
{
    fn get(
        &self,
        id: u64,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = Clip> + ::core::marker::Send {
        <__S as Media>::get(&**self, id, r#type)
    }
    fn r#move(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::r#move(&**self)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::boxed::Box<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
    Self: Send + Sync,
{
    fn get(
        &self,
        id: u64,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = Clip> + ::core::marker::Send {
        <__S as Media>::get(&**self, id, r#type)
    }
    fn r#move(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::r#move(&**self)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::sync::Arc<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
    Self: Send + Sync,
{
    fn get(
        &self,
        id: u64,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = Clip> + ::core::marker::Send {
        <__S as Media>::get(&**self, id, r#type)
    }
    fn r#move(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::r#move(&**self)
    }
}
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub(crate) const DESCRIPTION: &'static ::facade::rpc::__private::ServiceDescription = &::facade::rpc::__private::ServiceDescription::new(
            "Media",
        )
        .actions(const {
            &[
                ::facade::rpc::__private::ActionDescription::new("media.fetch")
                    .parameters(const {
                        &[
                            ::facade::rpc::__private::ParameterDescription::new(
                                "id",
                                "u64",
                                ::facade::rpc::__private::PartKind::Payload,
                            ),
                            ::facade::rpc::__private::ParameterDescription::new(
                                "type",
                                "Kind",
                                ::facade::rpc::__private::PartKind::Payload,
                            ),
                        ]
                    })
                    .returns(
                        ::facade::rpc::__private::ReturnDescription::new(
                            "Clip",
                            &[::facade::rpc::__private::PartKind::Payload],
                        ),
                    ),
                ::facade::rpc::__private::ActionDescription::new("media.move"),
            ]
        });
}
#[automatically_derived]
#[allow(private_bounds)]
impl<__V> ::facade::rpc::__private::ServiceTypes<__V> for MediaClient
where
    __V: ::facade::rpc::__private::VisitTypes<
        (
            ::facade::rpc::__private::ActionTypes<(u64, (Kind, ())), (Clip, ()), ()>,
            ::facade::rpc::__private::ActionTypes<(), (), ()>,
        ),
    >,
{
    const DESCRIPTION: &'static ::facade::rpc::__private::ServiceDescription = MediaClient::DESCRIPTION;
    fn visit_types(visitor: &mut __V) {
        ::facade::rpc::__private::VisitTypes::<
            (
                ::facade::rpc::__private::ActionTypes<(u64, (Kind, ())), (Clip, ()), ()>,
                ::facade::rpc::__private::ActionTypes<(), (), ()>,
            ),
        >::visit(visitor);
    }
}
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    __sent::<u64>();
    __sent::<Kind>();
    __sent::<Clip>();
};
const _: () = {
    struct __Type<T>(::core::marker::PhantomData<T>);
    trait __Any {
        const IS_RESULT: bool = false;
    }
    impl<T> __Any for __Type<T> {}
    impl<T, E> __Type<::core::result::Result<T, E>> {
        const IS_RESULT: bool = true;
    }
    ::core::assert!(
        ! __Type:: < Clip > ::IS_RESULT,
        "the error type must be explicit: write `Result<T, E>` with both types"
    );
};
