#[cfg(feature = "media")]
#[allow(dead_code)]
trait Media {
    /// Finds a clip.
    #[cfg(feature = "search")]
    #[cfg_attr(docsrs, doc(cfg(feature = "search")))]
    fn find(
        &self,
        text: String,
        limit: u32,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send;
    #[deprecated = "use `find`"]
    #[allow(non_snake_case)]
    fn findOld(
        &self,
        text: String,
    ) -> impl ::core::future::Future<Output = Vec<Clip>> + ::core::marker::Send;
}
#[cfg(feature = "media")]
///  Calls the actions of [`Media`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct MediaClient {
    connection: ::sockety::__private::Connection,
}
#[cfg(feature = "media")]
#[allow(deprecated)]
impl MediaClient {
    /// A client that calls over `connection`, which others may use too.
    fn new(connection: ::sockety::__private::Connection) -> Self {
        Self { connection }
    }
    /// Connects to `address` when awaited, and calls over the new connection.
    fn connect(
        address: impl ::core::convert::Into<::sockety::__private::Address>,
    ) -> ::sockety::__private::Connect<Self> {
        ::sockety::__private::connect(address)
    }
    /// The connection that the calls go over.
    fn connection(&self) -> &::sockety::__private::Connection {
        &self.connection
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
        ::sockety::__private::call(&self.connection, MediaDraft::findOld(text))
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
/// Serves an implementation of [`Media`].
struct MediaServer<S> {
    service: ::std::sync::Arc<S>,
}
#[cfg(feature = "media")]
impl<S> MediaServer<S> {
    /// Serves `service`.
    fn new(service: S) -> Self {
        Self::from_arc(::std::sync::Arc::new(service))
    }
    /// Serves a service that others hold too.
    fn from_arc(service: ::std::sync::Arc<S>) -> Self {
        Self { service }
    }
}
#[cfg(feature = "media")]
#[automatically_derived]
impl<S> ::core::clone::Clone for MediaServer<S> {
    fn clone(&self) -> Self {
        Self::from_arc(::core::clone::Clone::clone(&self.service))
    }
}
#[cfg(feature = "media")]
#[allow(deprecated)]
#[automatically_derived]
impl<__S> ::sockety::__private::Service for MediaServer<__S>
where
    __S: Media + ::core::marker::Send + ::core::marker::Sync + 'static,
{
    fn actions(&self) -> &'static [&'static str] {
        &[#[cfg(feature = "search")] "find", "findOld"]
    }
    fn dispatch(
        &self,
        __action: usize,
        __incoming: ::sockety::__private::Incoming,
    ) -> ::sockety::__private::Dispatch {
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
        let __service = ::core::clone::Clone::clone(&self.service);
        match __ACTIONS[__action] {
            #[cfg(feature = "search")]
            __Action::find => {
                ::std::boxed::Box::pin(async move {
                    let (_, __body, __responder) = __incoming.open();
                    #[derive(::sockety::__private::serde::Deserialize)]
                    #[serde(crate = "::sockety::__private::serde")]
                    struct __Arguments {
                        text: String,
                        limit: u32,
                    }
                    let __value = match __body.value::<__Arguments>() {
                        ::core::result::Result::Ok(__value) => __value,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_request(__error).await;
                        }
                    };
                    ::core::mem::drop(__body);
                    let __output = <__S as Media>::find(
                            &*__service,
                            __value.text,
                            __value.limit,
                        )
                        .await;
                    __responder.value::<Vec<Clip>>(__output).await
                })
            }
            __Action::findOld => {
                ::std::boxed::Box::pin(async move {
                    let (_, __body, __responder) = __incoming.open();
                    let __value = match __body.value::<String>() {
                        ::core::result::Result::Ok(__value) => __value,
                        ::core::result::Result::Err(__error) => {
                            return __responder.bad_request(__error).await;
                        }
                    };
                    ::core::mem::drop(__body);
                    let __output = <__S as Media>::findOld(&*__service, __value).await;
                    __responder.value::<Vec<Clip>>(__output).await
                })
            }
        }
    }
}
#[cfg(feature = "media")]
/// Prepares calls, to be sent later or often, of the actions of [`Media`].
#[derive(::core::fmt::Debug)]
struct MediaDraft;
#[cfg(feature = "media")]
#[allow(deprecated)]
impl MediaDraft {
    #[cfg(feature = "search")]
    /// Finds a clip.
    #[cfg_attr(docsrs, doc(cfg(feature = "search")))]
    fn find(
        text: String,
        limit: u32,
    ) -> ::sockety::__private::CallDraft<Vec<Clip>, ::sockety::__private::NoError> {
        #[derive(::sockety::__private::serde::Serialize)]
        #[serde(crate = "::sockety::__private::serde")]
        struct __Arguments<'a> {
            text: &'a String,
            limit: &'a u32,
        }
        ::sockety::__private::call_draft_with::<
            Vec<Clip>,
            ::sockety::__private::NoError,
            _,
        >(
            "find",
            &__Arguments {
                text: &text,
                limit: &limit,
            },
        )
    }
    /// Drafts a call of the action `findOld`.
    #[deprecated = "use `find`"]
    #[allow(non_snake_case)]
    fn findOld(
        text: String,
    ) -> ::sockety::__private::CallDraft<Vec<Clip>, ::sockety::__private::NoError> {
        ::sockety::__private::call_draft_with::<
            Vec<Clip>,
            ::sockety::__private::NoError,
            String,
        >("findOld", &text)
    }
}
#[cfg(feature = "media")]
const _: fn() = || {
    fn __sent<T: ::core::marker::Send>() {}
    fn __returned<
        T: ::core::marker::Send + ::sockety::__private::serde::de::DeserializeOwned,
    >() {}
    #[cfg(feature = "search")] __sent::<String>();
    #[cfg(feature = "search")] __sent::<u32>();
    #[cfg(feature = "search")] __returned::<Vec<Clip>>();
    __sent::<String>();
    __returned::<Vec<Clip>>();
};
