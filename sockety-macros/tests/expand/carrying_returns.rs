#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement the service `Media`",
    note = "to serve calls, write `impl Media for` a type of your own",
    note = "`MediaClient` calls a server and does not serve: take a `&MediaClient`, or implement `Media` for a type that holds one"
)]
pub trait Media {
    fn search(
        &self,
        ids: Streaming<u64>,
    ) -> impl ::core::future::Future<
        Output = Result<Streaming<Clip>, MediaError>,
    > + ::core::marker::Send;
    fn download(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(Clip, File), MediaError>,
    > + ::core::marker::Send;
    fn shell(
        &self,
        input: ByteStream,
    ) -> impl ::core::future::Future<Output = ByteStream> + ::core::marker::Send;
    fn logs(
        &self,
        from: u64,
        to: u64,
    ) -> impl ::core::future::Future<
        Output = Streaming<Line, LogError>,
    > + ::core::marker::Send;
    fn export(
        &self,
    ) -> impl ::core::future::Future<
        Output = (File, ByteStream, Vec<Clip>, Vec<File>),
    > + ::core::marker::Send;
    fn covers(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<Vec<File>, MediaError>,
    > + ::core::marker::Send;
    fn plain(
        &self,
    ) -> impl ::core::future::Future<Output = (u64, String)> + ::core::marker::Send;
}
const _: () = {
    struct __Service;
    impl<__S> ::sockety::__private::Uses<__Service> for ::core::marker::PhantomData<__S>
    where
        __S: Media + ::core::marker::Sync,
    {
        fn uses() {
            let _ = <__S as Media>::search;
            let _ = <__S as Media>::download;
            let _ = <__S as Media>::shell;
            let _ = <__S as Media>::logs;
            let _ = <__S as Media>::export;
            let _ = <__S as Media>::covers;
            let _ = <__S as Media>::plain;
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
    /// Calls the action `search`.
    pub fn search(
        &self,
        ids: Streaming<u64>,
    ) -> ::sockety::__private::Call<Streaming<Clip>, MediaError> {
        ::sockety::__private::call(&self.connection, MediaDraft::search(ids))
    }
    /// Calls the action `download`.
    pub fn download(
        &self,
        id: u64,
    ) -> ::sockety::__private::Call<(Clip, File), MediaError> {
        ::sockety::__private::call(&self.connection, MediaDraft::download(id))
    }
    /// Calls the action `shell`.
    pub fn shell(
        &self,
        input: ByteStream,
    ) -> ::sockety::__private::Call<ByteStream, ::sockety::__private::NoError> {
        ::sockety::__private::call(&self.connection, MediaDraft::shell(input))
    }
    /// Calls the action `logs`.
    pub fn logs(
        &self,
        from: u64,
        to: u64,
    ) -> ::sockety::__private::Call<
        Streaming<Line, LogError>,
        ::sockety::__private::NoError,
    > {
        ::sockety::__private::call(&self.connection, MediaDraft::logs(from, to))
    }
    /// Calls the action `export`.
    pub fn export(
        &self,
    ) -> ::sockety::__private::Call<
        (File, ByteStream, Vec<Clip>, Vec<File>),
        ::sockety::__private::NoError,
    > {
        ::sockety::__private::call(&self.connection, MediaDraft::export())
    }
    /// Calls the action `covers`.
    pub fn covers(&self) -> ::sockety::__private::Call<Vec<File>, MediaError> {
        ::sockety::__private::call(&self.connection, MediaDraft::covers())
    }
    /// Calls the action `plain`.
    pub fn plain(
        &self,
    ) -> ::sockety::__private::Call<(u64, String), ::sockety::__private::NoError> {
        ::sockety::__private::call(&self.connection, MediaDraft::plain())
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
    /// Prepares a call of the action `search`.
    pub fn search(
        ids: Streaming<u64>,
    ) -> ::sockety::__private::CallDraft<Streaming<Clip>, MediaError> {
        ::sockety::__private::call_draft::<
            Streaming<Clip>,
            MediaError,
        >(
            "search",
            ::sockety::__private::Content::new().streaming::<u64, _>(ids),
            |__received| __received.streaming::<Clip, _>(),
        )
    }
    /// Prepares a call of the action `download`.
    pub fn download(
        id: u64,
    ) -> ::sockety::__private::CallDraft<(Clip, File), MediaError> {
        ::sockety::__private::call_draft::<
            (Clip, File),
            MediaError,
        >(
            "download",
            ::sockety::__private::Content::new()
                .payload(::sockety::__private::payload::<u64>(), &id),
            |__received| ::core::result::Result::Ok((
                __received.payload(::sockety::__private::payload::<Clip>())?,
                ::sockety::__private::named_file::<File>().take(__received.file())?,
            )),
        )
    }
    /// Prepares a call of the action `shell`.
    pub fn shell(
        input: ByteStream,
    ) -> ::sockety::__private::CallDraft<ByteStream, ::sockety::__private::NoError> {
        ::sockety::__private::call_draft::<
            ByteStream,
            ::sockety::__private::NoError,
        >(
            "shell",
            ::sockety::__private::Content::new()
                .bytes(::sockety::__private::named_bytes::<ByteStream>().give(input)),
            |__received| {
                ::sockety::__private::named_bytes::<ByteStream>()
                    .take(__received.bytes())
            },
        )
    }
    /// Prepares a call of the action `logs`.
    pub fn logs(
        from: u64,
        to: u64,
    ) -> ::sockety::__private::CallDraft<
        Streaming<Line, LogError>,
        ::sockety::__private::NoError,
    > {
        ::sockety::__private::call_draft::<
            Streaming<Line, LogError>,
            ::sockety::__private::NoError,
        >(
            "logs",
            ::sockety::__private::Content::new()
                .parameters(
                    2,
                    |__parameters| {
                        __parameters
                            .with("from", ::sockety::__private::payload::<u64>(), &from)
                            .with("to", ::sockety::__private::payload::<u64>(), &to);
                    },
                ),
            |__received| __received.streaming::<Line, LogError>(),
        )
    }
    /// Prepares a call of the action `export`.
    pub fn export() -> ::sockety::__private::CallDraft<
        (File, ByteStream, Vec<Clip>, Vec<File>),
        ::sockety::__private::NoError,
    > {
        ::sockety::__private::call_draft::<
            (File, ByteStream, Vec<Clip>, Vec<File>),
            ::sockety::__private::NoError,
        >(
            "export",
            ::sockety::__private::Content::new(),
            |__received| ::core::result::Result::Ok((
                ::sockety::__private::named_file::<File>().take(__received.file())?,
                ::sockety::__private::named_bytes::<ByteStream>()
                    .take(__received.bytes())?,
                __received.payload(::sockety::__private::payload::<Vec<Clip>>())?,
                ::sockety::__private::named_file::<File>().take_all(__received.files()),
            )),
        )
    }
    /// Prepares a call of the action `covers`.
    pub fn covers() -> ::sockety::__private::CallDraft<Vec<File>, MediaError> {
        ::sockety::__private::call_draft::<
            Vec<File>,
            MediaError,
        >(
            "covers",
            ::sockety::__private::Content::new(),
            |__received| ::core::result::Result::Ok(
                ::sockety::__private::named_file::<File>().take_all(__received.files()),
            ),
        )
    }
    /// Prepares a call of the action `plain`.
    pub fn plain() -> ::sockety::__private::CallDraft<
        (u64, String),
        ::sockety::__private::NoError,
    > {
        ::sockety::__private::call_draft::<
            (u64, String),
            ::sockety::__private::NoError,
        >(
            "plain",
            ::sockety::__private::Content::new(),
            |__received| {
                __received.payload(::sockety::__private::payload::<(u64, String)>())
            },
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
            search,
            download,
            shell,
            logs,
            export,
            covers,
            plain,
        }
        const __ACTIONS: &[__Action] = &[
            __Action::search,
            __Action::download,
            __Action::shell,
            __Action::logs,
            __Action::export,
            __Action::covers,
            __Action::plain,
        ];
        match __ACTIONS[__action] {
            __Action::search => {
                let (mut __received, __reply) = __message.into_received();
                let __0: Streaming<u64> = match __received.streaming::<u64, _>() {
                    ::core::result::Result::Ok(__0) => __0,
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
                            let __output = <__S as Media>::search(&*__service, __0)
                                .await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .content_result(
                                    ::sockety::__private::error::<MediaError>(),
                                    ::core::result::Result::map(
                                        __output,
                                        |__0| {
                                            ::sockety::__private::Content::new()
                                                .streaming::<Clip, _>(__0)
                                        },
                                    ),
                                )
                        },
                    )
            }
            __Action::download => {
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
                            let __output = <__S as Media>::download(&*__service, __0)
                                .await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .content_result(
                                    ::sockety::__private::error::<MediaError>(),
                                    ::core::result::Result::map(
                                        __output,
                                        |(__0, __1)| {
                                            ::sockety::__private::Content::new()
                                                .payload(::sockety::__private::payload::<Clip>(), &__0)
                                                .file(::sockety::__private::named_file::<File>().give(__1))
                                        },
                                    ),
                                )
                        },
                    )
            }
            __Action::shell => {
                let (mut __received, __reply) = __message.into_received();
                let __0: ByteStream = match ::sockety::__private::named_bytes::<
                    ByteStream,
                >()
                    .take(__received.bytes())
                {
                    ::core::result::Result::Ok(__0) => __0,
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
                            let __output = <__S as Media>::shell(&*__service, __0).await;
                            (__service, __output)
                        },
                        |__reply, __0| {
                            __reply
                                .content(
                                    ::sockety::__private::Content::new()
                                        .bytes(
                                            ::sockety::__private::named_bytes::<ByteStream>().give(__0),
                                        ),
                                )
                        },
                    )
            }
            __Action::logs => {
                let (__0, (__1, ())) = match __message.decode_all(MediaRequest::__logs())
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
                            let __output = <__S as Media>::logs(&*__service, __0, __1)
                                .await;
                            (__service, __output)
                        },
                        |__reply, __0| {
                            __reply
                                .content(
                                    ::sockety::__private::Content::new()
                                        .streaming::<Line, LogError>(__0),
                                )
                        },
                    )
            }
            __Action::export => {
                let __reply = __message.into_reply();
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            let __output = <__S as Media>::export(&*__service).await;
                            (__service, __output)
                        },
                        |__reply, (__0, __1, __2, __3)| {
                            __reply
                                .content(
                                    ::sockety::__private::Content::new()
                                        .payload(::sockety::__private::payload::<Vec<Clip>>(), &__2)
                                        .file(::sockety::__private::named_file::<File>().give(__0))
                                        .files(
                                            ::sockety::__private::named_file::<File>().give_all(__3),
                                        )
                                        .bytes(
                                            ::sockety::__private::named_bytes::<ByteStream>().give(__1),
                                        ),
                                )
                        },
                    )
            }
            __Action::covers => {
                let __reply = __message.into_reply();
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            let __output = <__S as Media>::covers(&*__service).await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .content_result(
                                    ::sockety::__private::error::<MediaError>(),
                                    ::core::result::Result::map(
                                        __output,
                                        |__0| {
                                            ::sockety::__private::Content::new()
                                                .files(
                                                    ::sockety::__private::named_file::<File>().give_all(__0),
                                                )
                                        },
                                    ),
                                )
                        },
                    )
            }
            __Action::plain => {
                let __reply = __message.into_reply();
                __reply
                    .run(
                        __start,
                        &self.service,
                        |__service| async move {
                            let __output = <__S as Media>::plain(&*__service).await;
                            (__service, __output)
                        },
                        |__reply, __output| {
                            __reply
                                .value(
                                    ::sockety::__private::payload::<(u64, String)>(),
                                    __output,
                                )
                        },
                    )
            }
        }
    }
}
/// A request to [`Media`]: an action with its parameters, except files and streams.
pub enum MediaRequest {
    /// The action `search`.
    Search,
    /// The action `download`.
    Download {
        /// The parameter `id`.
        id: u64,
    },
    /// The action `shell`.
    Shell,
    /// The action `logs`.
    Logs {
        /// The parameter `from`.
        from: u64,
        /// The parameter `to`.
        to: u64,
    },
    /// The action `export`.
    Export,
    /// The action `covers`.
    Covers,
    /// The action `plain`.
    Plain,
}
#[automatically_derived]
impl ::core::fmt::Debug for MediaRequest {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        match *self {
            Self::Search { .. } => __formatter.write_str("Search"),
            Self::Download { .. } => __formatter.write_str("Download { .. }"),
            Self::Shell { .. } => __formatter.write_str("Shell"),
            Self::Logs { .. } => __formatter.write_str("Logs { .. }"),
            Self::Export { .. } => __formatter.write_str("Export"),
            Self::Covers { .. } => __formatter.write_str("Covers"),
            Self::Plain { .. } => __formatter.write_str("Plain"),
        }
    }
}
impl MediaRequest {
    /// The parameters of `logs`.
    #[inline]
    fn __logs() -> (
        ::sockety::__private::Entry<u64>,
        (::sockety::__private::Entry<u64>, ()),
    ) {
        (
            ::sockety::__private::parameter(
                "from",
                ::sockety::__private::payload::<u64>(),
            ),
            (
                ::sockety::__private::parameter(
                    "to",
                    ::sockety::__private::payload::<u64>(),
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
            "search" => ::core::result::Result::Ok(MediaRequest::Search),
            "download" => {
                let __0 = ::sockety::__private::decode(
                    __message.payload(),
                    ::sockety::__private::payload::<u64>(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Download { id: __0 })
            }
            "shell" => ::core::result::Result::Ok(MediaRequest::Shell),
            "logs" => {
                let (__0, (__1, ())) = ::sockety::__private::decode_all(
                    __message.payload(),
                    MediaRequest::__logs(),
                )?;
                ::core::result::Result::Ok(MediaRequest::Logs {
                    from: __0,
                    to: __1,
                })
            }
            "export" => ::core::result::Result::Ok(MediaRequest::Export),
            "covers" => ::core::result::Result::Ok(MediaRequest::Covers),
            "plain" => ::core::result::Result::Ok(MediaRequest::Plain),
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
            MediaRequest::Search {} => {
                ::sockety::__private::pass_draft(
                        "search",
                        ::sockety::__private::Content::new(),
                    )
                    .into_outgoing()
            }
            MediaRequest::Download { id } => MediaDraft::download(id).into_outgoing(),
            MediaRequest::Shell {} => {
                ::sockety::__private::pass_draft(
                        "shell",
                        ::sockety::__private::Content::new(),
                    )
                    .into_outgoing()
            }
            MediaRequest::Logs { from, to } => MediaDraft::logs(from, to).into_outgoing(),
            MediaRequest::Export {} => MediaDraft::export().into_outgoing(),
            MediaRequest::Covers {} => MediaDraft::covers().into_outgoing(),
            MediaRequest::Plain {} => MediaDraft::plain().into_outgoing(),
        }
    }
}
#[automatically_derived]
impl<__S> Media for &__S
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn search(
        &self,
        ids: Streaming<u64>,
    ) -> impl ::core::future::Future<
        Output = Result<Streaming<Clip>, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::search(&**self, ids)
    }
    fn download(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(Clip, File), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::download(&**self, id)
    }
    fn shell(
        &self,
        input: ByteStream,
    ) -> impl ::core::future::Future<Output = ByteStream> + ::core::marker::Send {
        <__S as Media>::shell(&**self, input)
    }
    fn logs(
        &self,
        from: u64,
        to: u64,
    ) -> impl ::core::future::Future<
        Output = Streaming<Line, LogError>,
    > + ::core::marker::Send {
        <__S as Media>::logs(&**self, from, to)
    }
    fn export(
        &self,
    ) -> impl ::core::future::Future<
        Output = (File, ByteStream, Vec<Clip>, Vec<File>),
    > + ::core::marker::Send {
        <__S as Media>::export(&**self)
    }
    fn covers(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<Vec<File>, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::covers(&**self)
    }
    fn plain(
        &self,
    ) -> impl ::core::future::Future<Output = (u64, String)> + ::core::marker::Send {
        <__S as Media>::plain(&**self)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::boxed::Box<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn search(
        &self,
        ids: Streaming<u64>,
    ) -> impl ::core::future::Future<
        Output = Result<Streaming<Clip>, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::search(&**self, ids)
    }
    fn download(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(Clip, File), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::download(&**self, id)
    }
    fn shell(
        &self,
        input: ByteStream,
    ) -> impl ::core::future::Future<Output = ByteStream> + ::core::marker::Send {
        <__S as Media>::shell(&**self, input)
    }
    fn logs(
        &self,
        from: u64,
        to: u64,
    ) -> impl ::core::future::Future<
        Output = Streaming<Line, LogError>,
    > + ::core::marker::Send {
        <__S as Media>::logs(&**self, from, to)
    }
    fn export(
        &self,
    ) -> impl ::core::future::Future<
        Output = (File, ByteStream, Vec<Clip>, Vec<File>),
    > + ::core::marker::Send {
        <__S as Media>::export(&**self)
    }
    fn covers(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<Vec<File>, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::covers(&**self)
    }
    fn plain(
        &self,
    ) -> impl ::core::future::Future<Output = (u64, String)> + ::core::marker::Send {
        <__S as Media>::plain(&**self)
    }
}
#[automatically_derived]
impl<__S> Media for ::std::sync::Arc<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync,
{
    fn search(
        &self,
        ids: Streaming<u64>,
    ) -> impl ::core::future::Future<
        Output = Result<Streaming<Clip>, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::search(&**self, ids)
    }
    fn download(
        &self,
        id: u64,
    ) -> impl ::core::future::Future<
        Output = Result<(Clip, File), MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::download(&**self, id)
    }
    fn shell(
        &self,
        input: ByteStream,
    ) -> impl ::core::future::Future<Output = ByteStream> + ::core::marker::Send {
        <__S as Media>::shell(&**self, input)
    }
    fn logs(
        &self,
        from: u64,
        to: u64,
    ) -> impl ::core::future::Future<
        Output = Streaming<Line, LogError>,
    > + ::core::marker::Send {
        <__S as Media>::logs(&**self, from, to)
    }
    fn export(
        &self,
    ) -> impl ::core::future::Future<
        Output = (File, ByteStream, Vec<Clip>, Vec<File>),
    > + ::core::marker::Send {
        <__S as Media>::export(&**self)
    }
    fn covers(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<Vec<File>, MediaError>,
    > + ::core::marker::Send {
        <__S as Media>::covers(&**self)
    }
    fn plain(
        &self,
    ) -> impl ::core::future::Future<Output = (u64, String)> + ::core::marker::Send {
        <__S as Media>::plain(&**self)
    }
}
impl MediaClient {
    /// Describes the service: its actions, with their parameters, results and errors.
    pub const DESCRIPTION: &'static ::sockety::__private::ServiceDescription = &::sockety::__private::ServiceDescription::new(
            "Media",
        )
        .actions(const {
            &[
                ::sockety::__private::ActionDescription::new("search")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "ids",
                                "Streaming<u64>",
                                ::sockety::__private::PartKind::Streaming,
                            ),
                        ]
                    })
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "Streaming<Clip>",
                            &[::sockety::__private::PartKind::Streaming],
                        ),
                    )
                    .errors(::sockety::__private::error::<MediaError>().variants),
                ::sockety::__private::ActionDescription::new("download")
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
                            "(Clip, File)",
                            &[
                                ::sockety::__private::PartKind::Payload,
                                ::sockety::__private::PartKind::File,
                            ],
                        ),
                    )
                    .errors(::sockety::__private::error::<MediaError>().variants),
                ::sockety::__private::ActionDescription::new("shell")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "input",
                                "ByteStream",
                                ::sockety::__private::PartKind::ByteStream,
                            ),
                        ]
                    })
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "ByteStream",
                            &[::sockety::__private::PartKind::ByteStream],
                        ),
                    ),
                ::sockety::__private::ActionDescription::new("logs")
                    .parameters(const {
                        &[
                            ::sockety::__private::ParameterDescription::new(
                                "from",
                                "u64",
                                ::sockety::__private::PartKind::Payload,
                            ),
                            ::sockety::__private::ParameterDescription::new(
                                "to",
                                "u64",
                                ::sockety::__private::PartKind::Payload,
                            ),
                        ]
                    })
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "Streaming<Line, LogError>",
                            &[::sockety::__private::PartKind::Streaming],
                        ),
                    ),
                ::sockety::__private::ActionDescription::new("export")
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "(File, ByteStream, Vec<Clip>, Vec<File>)",
                            &[
                                ::sockety::__private::PartKind::File,
                                ::sockety::__private::PartKind::ByteStream,
                                ::sockety::__private::PartKind::Payload,
                                ::sockety::__private::PartKind::Files,
                            ],
                        ),
                    ),
                ::sockety::__private::ActionDescription::new("covers")
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "Vec<File>",
                            &[::sockety::__private::PartKind::Files],
                        ),
                    )
                    .errors(::sockety::__private::error::<MediaError>().variants),
                ::sockety::__private::ActionDescription::new("plain")
                    .returns(
                        ::sockety::__private::ReturnDescription::new(
                            "(u64, String)",
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
                    ::sockety::__private::ActionTypes<
                        (u64, ()),
                        (Clip, ()),
                        (MediaError, ()),
                    >,
                    ::sockety::__private::ActionTypes<
                        (u64, ()),
                        (Clip, ()),
                        (MediaError, ()),
                    >,
                ),
                (
                    ::sockety::__private::ActionTypes<(), (), ()>,
                    ::sockety::__private::ActionTypes<
                        (u64, (u64, ())),
                        (Line, ()),
                        (),
                        (),
                        (LogError, ()),
                    >,
                ),
            ),
            (
                (
                    ::sockety::__private::ActionTypes<(), (Vec<Clip>, ()), ()>,
                    ::sockety::__private::ActionTypes<(), (), (MediaError, ())>,
                ),
                ::sockety::__private::ActionTypes<(), ((u64, String), ()), ()>,
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
                        ::sockety::__private::ActionTypes<
                            (u64, ()),
                            (Clip, ()),
                            (MediaError, ()),
                        >,
                        ::sockety::__private::ActionTypes<
                            (u64, ()),
                            (Clip, ()),
                            (MediaError, ()),
                        >,
                    ),
                    (
                        ::sockety::__private::ActionTypes<(), (), ()>,
                        ::sockety::__private::ActionTypes<
                            (u64, (u64, ())),
                            (Line, ()),
                            (),
                            (),
                            (LogError, ()),
                        >,
                    ),
                ),
                (
                    (
                        ::sockety::__private::ActionTypes<(), (Vec<Clip>, ()), ()>,
                        ::sockety::__private::ActionTypes<(), (), (MediaError, ())>,
                    ),
                    ::sockety::__private::ActionTypes<(), ((u64, String), ()), ()>,
                ),
            ),
        >::visit(visitor);
    }
}
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    __sent::<u64>();
    __sent::<Clip>();
    __sent::<u64>();
    __sent::<u64>();
    __sent::<Vec<Clip>>();
    __sent::<(u64, String)>();
};
