#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement the service `Media`",
    note = "to serve calls, write `impl Media for` a type of your own",
    note = "`MediaClient` calls a server and does not serve: take a `&MediaClient`, or implement `Media` for a type that holds one"
)]
pub trait Media {
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send;
    fn upload(
        &self,
        id: u64,
        title: String,
        files: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
const _: () = {
    struct __Service;
    impl<__S> ::sockety::__private::Uses<__Service> for ::core::marker::PhantomData<__S>
    where
        __S: Media + ::core::marker::Sync,
    {
        fn uses() {
            let _ = <__S as Media>::get;
            let _ = <__S as Media>::upload;
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
    /// Calls the action `media.get`.
    pub fn get(&self, id: u64) -> ::sockety::__private::Call<Clip, MediaError> {
        ::sockety::__private::call(&self.connection, MediaDraft::get(id))
    }
    /// Calls the action `media.upload`.
    pub fn upload(
        &self,
        id: u64,
        title: String,
        files: Vec<File>,
    ) -> ::sockety::__private::Call<(), ::sockety::__private::NoError> {
        ::sockety::__private::call(
            &self.connection,
            MediaDraft::upload(id, title, files),
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
    /// Prepares a call of the action `media.get`.
    pub fn get(id: u64) -> ::sockety::__private::CallDraft<Clip, MediaError> {
        ::sockety::__private::call_draft::<
            Clip,
            MediaError,
        >(
                "media.get",
                ::sockety::__private::Content::new()
                    .payload(::sockety::__private::payload::<u64>(), &id),
                |__received| __received.payload(::sockety::__private::payload::<Clip>()),
            )
            .timeout(::core::time::Duration::from_millis(60000u64))
            .idempotent()
            .long_poll()
    }
    /// Prepares a call of the action `media.upload`.
    pub fn upload(
        id: u64,
        title: String,
        files: Vec<File>,
    ) -> ::sockety::__private::CallDraft<(), ::sockety::__private::NoError> {
        ::sockety::__private::call_draft::<
            (),
            ::sockety::__private::NoError,
        >(
                "media.upload",
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
                    )
                    .files(::sockety::__private::named_file::<File>().give_all(files)),
                |__received| __received.payload(::sockety::__private::payload::<()>()),
            )
            .limits(
                ::sockety::__private::ActionLimits::none()
                    .payload(1024u64)
                    .files(8u32)
                    .file(2000000000u64),
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
            get,
            upload,
        }
        const __ACTIONS: &[__Action] = &[__Action::get, __Action::upload];
        match __ACTIONS[__action] {
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
            __Action::upload => {
                let __message = __message.into_owned();
                let __service = ::core::clone::Clone::clone(&self.service);
                ::sockety::__private::Begun::later(
                    ::std::boxed::Box::pin(async move {
                        let (mut __received, __reply) = __message.into_received();
                        let (__0, (__1, ())) = match __received
                            .parameters(MediaRequest::__upload())
                        {
                            ::core::result::Result::Ok(__value) => __value,
                            ::core::result::Result::Err(__error) => {
                                return __reply.bad_content(__error).await;
                            }
                        };
                        let __2: Vec<File> = ::sockety::__private::named_file::<File>()
                            .take_all(__received.files());
                        ::core::mem::drop(__received);
                        let () = <__S as Media>::upload(&*__service, __0, __1, __2)
                            .await;
                        let __answer = __reply.unit();
                        __reply.send(__answer).await
                    }),
                )
            }
        }
    }
}
/// A request to [`Media`]: an action with its parameters, except files and streams.
pub enum MediaRequest {
    /// The action `media.get`.
    Get {
        /// The parameter `id`.
        id: u64,
    },
    /// The action `media.upload`.
    Upload {
        /// The parameter `id`.
        id: u64,
        /// The parameter `title`.
        title: String,
    },
}
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            Self::Get { .. } => __formatter.write_str("Get { .. }"),
            Self::Upload { .. } => __formatter.write_str("Upload { .. }"),
        }
    }
}
impl MediaRequest {
    /// The parameters of `upload`.
    #[inline]
    fn __upload() -> (
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
            "media.get" | "media.fetch" => {
                let __0 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<u64>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Get { id: __0 })
            }
            "media.upload" => {
                let (__0, (__1, ())) = ::sockety::__private::decode_all(
                    __message.payload(),
                    MediaRequest::__upload(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Upload {
                    id: __0,
                    title: __1,
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
            MediaRequest::Get { id } => MediaDraft::get(id).into_outgoing(),
            MediaRequest::Upload { id, title } => {
                ::sockety::__private::pass_draft(
                        "media.upload",
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
                    )
                    .into_outgoing()
            }
        }
    }
}
#[automatically_derived]
impl<__S> Media for &__S
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::get(&**self, id)
    }
    fn upload(
        &self,
        id: u64,
        title: String,
        files: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::upload(&**self, id, title, files)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::boxed::Box<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::get(&**self, id)
    }
    fn upload(
        &self,
        id: u64,
        title: String,
        files: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::upload(&**self, id, title, files)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::sync::Arc<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn get(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::get(&**self, id)
    }
    fn upload(
        &self,
        id: u64,
        title: String,
        files: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::upload(&**self, id, title, files)
    }
}
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
            "Media",
        )
        .actions(const {
            &[
                ::sockety::__private::ActionDescription::new("media.get")
                    .aliases(const { &[::std::borrow::Cow::Borrowed("media.fetch")] })
                    .idempotent()
                    .timeout(::core::time::Duration::from_millis(60000u64))
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
                ::sockety::__private::ActionDescription::new("media.upload")
                    .spawned()
                    .no_cancel()
                    .limits(
                        ::sockety::__private::ActionLimits::none()
                            .payload(1024u64)
                            .files(8u32)
                            .file(2000000000u64),
                    )
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
                            ::sockety::__private::ParameterDescription::new(
                                "files",
                                "Vec<File>",
                                ::sockety::__private::PartKind::Files,
                            ),
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
        (
            ::sockety::__private::ActionTypes<(u64, ()), (Clip, ()), (MediaError, ())>,
            ::sockety::__private::ActionTypes<(u64, (String, ())), (), ()>,
        ),
    >,
{
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    fn visit_types(visitor: &mut __V) {
        ::sockety::__private::VisitTypes::<
            (
                ::sockety::__private::ActionTypes<
                    (u64, ()),
                    (Clip, ()),
                    (MediaError, ()),
                >,
                ::sockety::__private::ActionTypes<(u64, (String, ())), (), ()>,
            ),
        >::visit(visitor);
    }
}
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    __sent::<u64>();
    __sent::<Clip>();
    __sent::<u64>();
    __sent::<String>();
};
