#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement the service `Media`",
    note = "to serve calls, write `impl Media for` a type of your own",
    note = "`MediaClient` calls a server and does not serve: take a `&MediaClient`, or implement `Media` for a type that holds one"
)]
pub trait Media {
    fn upload(
        &self,
        cx: &Context,
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send;
    fn store(
        &self,
        video: sockety::File,
        lines: Streaming<Line, LogError>,
        id: u64,
        cover: File,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn keep(
        &self,
        files: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send;
    fn ingest(
        &self,
        source: String,
        lines: Streaming<Line>,
        attachments: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
const _: () = {
    struct __Service;
    impl<__S> ::sockety::__private::Uses<__Service> for ::core::marker::PhantomData<__S>
    where
        __S: Media + ::core::marker::Sync,
    {
        fn uses() {
            let _ = <__S as Media>::upload;
            let _ = <__S as Media>::store;
            let _ = <__S as Media>::keep;
            let _ = <__S as Media>::ingest;
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
    /// Calls the action `upload`.
    pub fn upload(
        &self,
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> ::sockety::__private::Call<Clip, MediaError> {
        ::sockety::__private::call(
            &self.connection,
            MediaDraft::upload(title, video, subtitles),
        )
    }
    /// Calls the action `store`.
    pub fn store(
        &self,
        video: sockety::File,
        lines: Streaming<Line, LogError>,
        id: u64,
        cover: File,
        r#type: Kind,
    ) -> ::sockety::__private::Call<(), ::sockety::__private::NoError> {
        ::sockety::__private::call(
            &self.connection,
            MediaDraft::store(video, lines, id, cover, r#type),
        )
    }
    /// Calls the action `keep`.
    pub fn keep(&self, files: Vec<File>) -> ::sockety::__private::Call<(), MediaError> {
        ::sockety::__private::call(&self.connection, MediaDraft::keep(files))
    }
    /// Calls the action `ingest`.
    pub fn ingest(
        &self,
        source: String,
        lines: Streaming<Line>,
        attachments: Vec<File>,
    ) -> ::sockety::__private::Pass {
        ::sockety::__private::pass(
            &self.connection,
            MediaDraft::ingest(source, lines, attachments),
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
    /// Prepares a call of the action `upload`.
    pub fn upload(
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> ::sockety::__private::CallDraft<Clip, MediaError> {
        ::sockety::__private::call_draft::<
            Clip,
            MediaError,
        >(
            "upload",
            ::sockety::__private::Content::new()
                .payload(::sockety::__private::payload::<String>(), &title)
                .file(::sockety::__private::named_file::<File>().give(video))
                .files(::sockety::__private::named_file::<File>().give_all(subtitles)),
            |__received| __received.payload(::sockety::__private::payload::<Clip>()),
        )
    }
    /// Prepares a call of the action `store`.
    pub fn store(
        video: sockety::File,
        lines: Streaming<Line, LogError>,
        id: u64,
        cover: File,
        r#type: Kind,
    ) -> ::sockety::__private::CallDraft<(), ::sockety::__private::NoError> {
        ::sockety::__private::call_draft::<
            (),
            ::sockety::__private::NoError,
        >(
            "store",
            ::sockety::__private::Content::new()
                .parameters(
                    2,
                    |__parameters| {
                        __parameters
                            .with("id", ::sockety::__private::payload::<u64>(), &id)
                            .with(
                                "type",
                                ::sockety::__private::payload::<Kind>(),
                                &r#type,
                            );
                    },
                )
                .file(::sockety::__private::named_file::<sockety::File>().give(video))
                .file(::sockety::__private::named_file::<File>().give(cover))
                .streaming::<Line, LogError>(lines),
            |__received| __received.payload(::sockety::__private::payload::<()>()),
        )
    }
    /// Prepares a call of the action `keep`.
    pub fn keep(files: Vec<File>) -> ::sockety::__private::CallDraft<(), MediaError> {
        ::sockety::__private::call_draft::<
            (),
            MediaError,
        >(
            "keep",
            ::sockety::__private::Content::new()
                .files(::sockety::__private::named_file::<File>().give_all(files)),
            |__received| __received.payload(::sockety::__private::payload::<()>()),
        )
    }
    /// Prepares a call of the action `ingest`.
    pub fn ingest(
        source: String,
        lines: Streaming<Line>,
        attachments: Vec<File>,
    ) -> ::sockety::__private::PassDraft {
        ::sockety::__private::pass_draft(
            "ingest",
            ::sockety::__private::Content::new()
                .payload(::sockety::__private::payload::<String>(), &source)
                .files(::sockety::__private::named_file::<File>().give_all(attachments))
                .streaming::<Line, _>(lines),
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
            upload,
            store,
            keep,
            ingest,
        }
        const __ACTIONS: &[__Action] = &[
            __Action::upload,
            __Action::store,
            __Action::keep,
            __Action::ingest,
        ];
        match __ACTIONS[__action] {
            __Action::upload => {
                let __context = __message.context();
                let (mut __received, __reply) = __message.into_received();
                let __1 = match __received
                    .payload(::sockety::__private::payload::<String>())
                {
                    ::core::result::Result::Ok(__value) => __value,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                let __2: File = match ::sockety::__private::named_file::<File>()
                    .take(__received.file())
                {
                    ::core::result::Result::Ok(__2) => __2,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                let __3: Vec<File> = ::sockety::__private::named_file::<File>()
                    .take_all(__received.files());
                ::core::mem::drop(__received);
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            let __output = <__S as Media>::upload(
                                    &*__service,
                                    ::sockety::__private::context::<Context>(&__context),
                                    __1,
                                    __2,
                                    __3,
                                )
                                .await;
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
            __Action::store => {
                let (mut __received, __reply) = __message.into_received();
                let (__2, (__4, ())) = match __received
                    .parameters(MediaRequest::__store())
                {
                    ::core::result::Result::Ok(__value) => __value,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                let __0: sockety::File = match ::sockety::__private::named_file::<
                    sockety::File,
                >()
                    .take(__received.file())
                {
                    ::core::result::Result::Ok(__0) => __0,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                let __3: File = match ::sockety::__private::named_file::<File>()
                    .take(__received.file())
                {
                    ::core::result::Result::Ok(__3) => __3,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                let __1: Streaming<Line, LogError> = match __received
                    .streaming::<Line, LogError>()
                {
                    ::core::result::Result::Ok(__1) => __1,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                ::core::mem::drop(__received);
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            <__S as Media>::store(&*__service, __0, __1, __2, __3, __4)
                                .await;
                            let __output = ();
                            (__service, __output)
                        },
                        |__reply, ()| __reply.unit(),
                    )
            }
            __Action::keep => {
                let (mut __received, __reply) = __message.into_received();
                let __0: Vec<File> = ::sockety::__private::named_file::<File>()
                    .take_all(__received.files());
                ::core::mem::drop(__received);
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            let __output = <__S as Media>::keep(&*__service, __0).await;
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
            __Action::ingest => {
                let (mut __received, __reply) = __message.into_received();
                let __0 = match __received
                    .payload(::sockety::__private::payload::<String>())
                {
                    ::core::result::Result::Ok(__value) => __value,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                let __2: Vec<File> = ::sockety::__private::named_file::<File>()
                    .take_all(__received.files());
                let __1: Streaming<Line> = match __received.streaming::<Line, _>() {
                    ::core::result::Result::Ok(__1) => __1,
                    ::core::result::Result::Err(__error) => {
                        return ::core::convert::From::from(__reply.bad_content(__error));
                    }
                };
                ::core::mem::drop(__received);
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            <__S as Media>::ingest(&*__service, __0, __1, __2).await;
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
pub enum MediaRequest {
    /// The action `upload`.
    Upload {
        /// The parameter `title`.
        title: String,
    },
    /// The action `store`.
    Store {
        /// The parameter `id`.
        id: u64,
        /// The parameter `type`.
        r#type: Kind,
    },
    /// The action `keep`.
    Keep,
    /// The action `ingest`.
    Ingest {
        /// The parameter `source`.
        source: String,
    },
}
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            Self::Upload { .. } => __formatter.write_str("Upload { .. }"),
            Self::Store { .. } => __formatter.write_str("Store { .. }"),
            Self::Keep { .. } => __formatter.write_str("Keep"),
            Self::Ingest { .. } => __formatter.write_str("Ingest { .. }"),
        }
    }
}
impl MediaRequest {
    /// The parameters of `store`.
    #[inline]
    fn __store() -> (
        ::sockety::__private::Entry<u64>,
        (::sockety::__private::Entry<Kind>, ()),
    ) {
        (
            ::sockety::__private::parameter(
                "id",
                ::sockety::__private::payload::<u64>(),
            ),
            (
                ::sockety::__private::parameter(
                    "type",
                    ::sockety::__private::payload::<Kind>(),
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
            "upload" => {
                let __1 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<String>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Upload { title: __1 })
            }
            "store" => {
                let (__2, (__4, ())) = ::sockety::__private::decode_all(
                    __message.payload(),
                    MediaRequest::__store(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Store {
                    id: __2,
                    r#type: __4,
                })
            }
            "keep" => ::core::result::Result::Ok(MediaRequest::Keep),
            "ingest" => {
                let __0 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<String>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Ingest {
                    source: __0,
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
            MediaRequest::Upload { title } => {
                ::sockety::__private::pass_draft(
                        "upload",
                        ::sockety::__private::Content::new()
                            .payload(::sockety::__private::payload::<String>(), &title),
                    )
                    .into_outgoing()
            }
            MediaRequest::Store { id, r#type } => {
                ::sockety::__private::pass_draft(
                        "store",
                        ::sockety::__private::Content::new()
                            .parameters(
                                2,
                                |__parameters| {
                                    __parameters
                                        .with("id", ::sockety::__private::payload::<u64>(), &id)
                                        .with(
                                            "type",
                                            ::sockety::__private::payload::<Kind>(),
                                            &r#type,
                                        );
                                },
                            ),
                    )
                    .into_outgoing()
            }
            MediaRequest::Keep {} => {
                ::sockety::__private::pass_draft(
                        "keep",
                        ::sockety::__private::Content::new(),
                    )
                    .into_outgoing()
            }
            MediaRequest::Ingest { source } => {
                ::sockety::__private::pass_draft(
                        "ingest",
                        ::sockety::__private::Content::new()
                            .payload(::sockety::__private::payload::<String>(), &source),
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
    fn upload(
        &self,
        cx: &Context,
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::upload(&**self, cx, title, video, subtitles)
    }
    fn store(
        &self,
        video: sockety::File,
        lines: Streaming<Line, LogError>,
        id: u64,
        cover: File,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::store(&**self, video, lines, id, cover, r#type)
    }
    fn keep(
        &self,
        files: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::keep(&**self, files)
    }
    fn ingest(
        &self,
        source: String,
        lines: Streaming<Line>,
        attachments: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::ingest(&**self, source, lines, attachments)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::boxed::Box<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn upload(
        &self,
        cx: &Context,
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::upload(&**self, cx, title, video, subtitles)
    }
    fn store(
        &self,
        video: sockety::File,
        lines: Streaming<Line, LogError>,
        id: u64,
        cover: File,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::store(&**self, video, lines, id, cover, r#type)
    }
    fn keep(
        &self,
        files: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::keep(&**self, files)
    }
    fn ingest(
        &self,
        source: String,
        lines: Streaming<Line>,
        attachments: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::ingest(&**self, source, lines, attachments)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::sync::Arc<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn upload(
        &self,
        cx: &Context,
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<Clip, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::upload(&**self, cx, title, video, subtitles)
    }
    fn store(
        &self,
        video: sockety::File,
        lines: Streaming<Line, LogError>,
        id: u64,
        cover: File,
        r#type: Kind,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::store(&**self, video, lines, id, cover, r#type)
    }
    fn keep(
        &self,
        files: Vec<File>,
    ) -> impl ::core::future::Future<
        Output = Result<(), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::keep(&**self, files)
    }
    fn ingest(
        &self,
        source: String,
        lines: Streaming<Line>,
        attachments: Vec<File>,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
        <__S as Media>::ingest(&**self, source, lines, attachments)
    }
}
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
            "Media",
        )
        .actions(const {
            &[
                ::sockety::__private::ActionDescription::new("upload")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "title",
                                "String",
                                ::sockety::__private::PartKind::Payload,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "video",
                                "File",
                                ::sockety::__private::PartKind::File,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "subtitles",
                                "Vec<File>",
                                ::sockety::__private::PartKind::Files,
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
                ::sockety::__private::ActionDescription::new("store")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "video",
                                "sockety::File",
                                ::sockety::__private::PartKind::File,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "lines",
                                "Streaming<Line, LogError>",
                                ::sockety::__private::PartKind::Streaming,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "id",
                                "u64",
                                ::sockety::__private::PartKind::Payload,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "cover",
                                "File",
                                ::sockety::__private::PartKind::File,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "type",
                                "Kind",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    }),
                ::sockety::__private::ActionDescription::new("keep")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "files",
                                "Vec<File>",
                                ::sockety::__private::PartKind::Files,
                            ),
                        ]
                    })
                    .errors(::sockety::__private::error::<MediaError>().variants),
                ::sockety::__private::ActionDescription::new("ingest")
                    .one_way()
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "source",
                                "String",
                                ::sockety::__private::PartKind::Payload,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "lines",
                                "Streaming<Line>",
                                ::sockety::__private::PartKind::Streaming,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "attachments",
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
            (
                ::sockety::__private::ActionTypes<
                    (String, ()),
                    (Clip, ()),
                    (MediaError, ()),
                >,
                ::sockety::__private::ActionTypes<
                    (Line, (u64, (Kind, ()))),
                    (),
                    (),
                    (LogError, ()),
                    (),
                >,
            ),
            (
                ::sockety::__private::ActionTypes<(), (), (MediaError, ())>,
                ::sockety::__private::ActionTypes<(String, (Line, ())), (), ()>,
            ),
        ),
    >,
{
    const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = MediaClient::DESCRIPTION;
    fn visit_types(visitor: &mut __V) {
        ::sockety::__private::VisitTypes::<
            (
                (
                    ::sockety::__private::ActionTypes<
                        (String, ()),
                        (Clip, ()),
                        (MediaError, ()),
                    >,
                    ::sockety::__private::ActionTypes<
                        (Line, (u64, (Kind, ()))),
                        (),
                        (),
                        (LogError, ()),
                        (),
                    >,
                ),
                (
                    ::sockety::__private::ActionTypes<(), (), (MediaError, ())>,
                    ::sockety::__private::ActionTypes<(String, (Line, ())), (), ()>,
                ),
            ),
        >::visit(visitor);
    }
}
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    __sent::<String>();
    __sent::<Clip>();
    __sent::<u64>();
    __sent::<Kind>();
    __sent::<String>();
};
