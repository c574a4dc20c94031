#[allow(dead_code)]
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
///  Calls the actions of [`Media`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MediaClient {
    connection: ::sockety::__private::Connection,
}
impl MediaClient {
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
/// Serves an implementation of [`Media`].
pub struct MediaServer<S> {
    service: ::std::sync::Arc<S>,
}
impl<S> MediaServer<S> {
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
#[automatically_derived]
impl<__S> ::sockety::__private::Service for MediaServer<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync + 'static,
{
    fn actions(&self) -> &'static [&'static str] {
        &["upload", "store", "keep", "ingest"]
    }
    fn dispatch(
        &self,
        __action: usize,
        __incoming: ::sockety::__private::Incoming,
    ) -> ::sockety::__private::Dispatch {
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
        let __service = ::core::clone::Clone::clone(&self.service);
        match __ACTIONS[__action] {
            __Action::upload => {
                ::std::boxed::Box::pin(async move {
                    let (__context, __body, __responder) = __incoming.open();
                    let mut __received = __body.into_received();
                    let __value = match __received.payload::<String>() {
                        ::core::result::Result::Ok(__value) => __value,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    let __2: File = match __received.file() {
                        ::core::result::Result::Ok(__2) => __2,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    let __3: Vec<File> = __received.files();
                    ::core::mem::drop(__received);
                    let __output = <__S as Media>::upload(
                            &*__service,
                            &__context,
                            __value,
                            __2,
                            __3,
                        )
                        .await;
                    __responder.value_result::<Clip, MediaError>(__output).await
                })
            }
            __Action::store => {
                ::std::boxed::Box::pin(async move {
                    let (_, __body, __responder) = __incoming.open();
                    let mut __received = __body.into_received();
                    #[derive(::sockety::__private::serde::Deserialize)]
                    #[serde(crate = "::sockety::__private::serde")]
                    struct __Arguments {
                        id: u64,
                        r#type: Kind,
                    }
                    let __value = match __received.payload::<__Arguments>() {
                        ::core::result::Result::Ok(__value) => __value,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    let __0: sockety::File = match __received.file() {
                        ::core::result::Result::Ok(__0) => __0,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    let __3: File = match __received.file() {
                        ::core::result::Result::Ok(__3) => __3,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    let __1: Streaming<Line, LogError> = match __received
                        .streaming::<Line, LogError>()
                    {
                        ::core::result::Result::Ok(__1) => __1,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    ::core::mem::drop(__received);
                    <__S as Media>::store(
                            &*__service,
                            __0,
                            __1,
                            __value.id,
                            __3,
                            __value.r#type,
                        )
                        .await;
                    __responder.unit().await
                })
            }
            __Action::keep => {
                ::std::boxed::Box::pin(async move {
                    let (_, __body, __responder) = __incoming.open();
                    let mut __received = __body.into_received();
                    let __0: Vec<File> = __received.files();
                    ::core::mem::drop(__received);
                    let __output = <__S as Media>::keep(&*__service, __0).await;
                    __responder.unit_result::<MediaError>(__output).await
                })
            }
            __Action::ingest => {
                ::std::boxed::Box::pin(async move {
                    let (_, __body, __responder) = __incoming.open();
                    let mut __received = __body.into_received();
                    let __value = match __received.payload::<String>() {
                        ::core::result::Result::Ok(__value) => __value,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    let __2: Vec<File> = __received.files();
                    let __1: Streaming<Line> = match __received.streaming::<Line, _>() {
                        ::core::result::Result::Ok(__1) => __1,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_content(__error).await;
                        }
                    };
                    ::core::mem::drop(__received);
                    <__S as Media>::ingest(&*__service, __value, __1, __2).await;
                    __responder.unit().await
                })
            }
        }
    }
}
/// Prepares calls, to be sent later or often, of the actions of [`Media`].
#[derive(::core::fmt::Debug)]
pub struct MediaDraft;
impl MediaDraft {
    /// Drafts a call of the action `upload`.
    pub fn upload(
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> ::sockety::__private::CallDraft<Clip, MediaError> {
        ::sockety::__private::call_draft_carrying::<
            Clip,
            MediaError,
        >(
            "upload",
            ::sockety::__private::Content::new()
                .payload::<String>(&title)
                .file(video)
                .files(subtitles),
            ::sockety::__private::read_payload::<Clip>,
        )
    }
    /// Drafts a call of the action `store`.
    pub fn store(
        video: sockety::File,
        lines: Streaming<Line, LogError>,
        id: u64,
        cover: File,
        r#type: Kind,
    ) -> ::sockety::__private::CallDraft<(), ::sockety::__private::NoError> {
        #[derive(::sockety::__private::serde::Serialize)]
        #[serde(crate = "::sockety::__private::serde")]
        struct __Arguments<'a> {
            id: &'a u64,
            r#type: &'a Kind,
        }
        ::sockety::__private::call_draft_carrying::<
            (),
            ::sockety::__private::NoError,
        >(
            "store",
            ::sockety::__private::Content::new()
                .payload(
                    &__Arguments {
                        id: &id,
                        r#type: &r#type,
                    },
                )
                .file(video)
                .file(cover)
                .streaming::<Line, LogError>(lines),
            ::sockety::__private::read_payload::<()>,
        )
    }
    /// Drafts a call of the action `keep`.
    pub fn keep(files: Vec<File>) -> ::sockety::__private::CallDraft<(), MediaError> {
        ::sockety::__private::call_draft_carrying::<
            (),
            MediaError,
        >(
            "keep",
            ::sockety::__private::Content::new().files(files),
            ::sockety::__private::read_payload::<()>,
        )
    }
    /// Drafts a call of the action `ingest`.
    pub fn ingest(
        source: String,
        lines: Streaming<Line>,
        attachments: Vec<File>,
    ) -> ::sockety::__private::PassDraft {
        ::sockety::__private::pass_draft_carrying(
            "ingest",
            ::sockety::__private::Content::new()
                .payload::<String>(&source)
                .files(attachments)
                .streaming::<Line, _>(lines),
        )
    }
}
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    fn __returned<
        T: ::core::marker::Send + ::sockety::__private::serde::de::DeserializeOwned,
    >() {}
    __sent::<String>();
    __sent::<Clip>();
    __sent::<u64>();
    __sent::<Kind>();
    __sent::<String>();
};
