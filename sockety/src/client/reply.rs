//! Converts the reply to a call into what the method returns.

use std::sync::Arc;

use super::call_draft::Read;
use crate::{
    content::received::Carried,
    engine::{early_end::Described, lease::Lease, pending::RawReply},
    error::{
        call::CallError,
        refusal,
        remote::{RemoteError, read_remote},
        service::ServiceError,
    },
    fast_reply::FastReply,
    message::typed::Received,
    metadata::{MetadataKey, RetryAfter},
    msgpack::{__private::is_service_error, Bounds},
    payload::payload_bytes::PayloadBytes,
};

/// The value that a call returned, with the metadata of the response that brought it. Returned by
/// [`Call::replied`](super::call::Call::replied).
#[derive(Debug)]
pub struct Replied<T> {
    /// What the method returned.
    pub value: T,
    pub(super) described: Option<Arc<Described>>,
}

impl<T> Replied<T> {
    /// The value of an entry of [metadata](crate::metadata) that travelled with the response.
    pub fn metadata(&self, key: MetadataKey) -> Option<&[u8]> {
        self.described.as_ref()?.metadata.as_ref()?.get(key)
    }
}

pub(crate) fn read_reply<T, E: ServiceError>(
    reply: RawReply,
    action: &'static str,
    read: Read<T>,
    lease: &Lease,
) -> Result<T, CallError<E>> {
    let limits = lease.shared().payload_limits();
    let unreadable = |error| CallError::Content { action, error };
    match reply {
        RawReply::Fast(FastReply::ACCEPT, _) => {
            let mut nothing = Received::new(PayloadBytes::EMPTY, Carried::default(), limits);
            read(&mut nothing).map_err(unreadable)
        }
        RawReply::Fast(code, retry) => Err(read_code(action, code, retry)),
        RawReply::Response {
            payload, carried, ..
        } if is_service_error(&payload) => {
            let retry = carried.described().and_then(|described| described.retry);
            Err(read_error(action, &payload, &limits.bounds, retry))
        }
        RawReply::Response {
            payload, carried, ..
        } => {
            let carried = Carried::new(carried, lease);
            let mut received = Received::new(payload, carried, limits);
            read(&mut received).map_err(unreadable)
        }
    }
}

fn read_code<E: ServiceError>(
    action: &'static str,
    code: FastReply,
    retry_after: Option<RetryAfter>,
) -> CallError<E> {
    if let Some(error) = E::from_code(code.code()) {
        return CallError::Service(error);
    }
    match RemoteError::coded(E::VARIANTS, code) {
        Some(error) => CallError::Remote { action, error },
        None => CallError::Refused {
            action,
            code,
            reason: None,
            retry_after,
        },
    }
}

fn read_error<E: ServiceError>(
    action: &'static str,
    payload: &[u8],
    bounds: &Bounds,
    retry_after: Option<RetryAfter>,
) -> CallError<E> {
    if let Some((code, reason)) = refusal::decode(payload) {
        return CallError::Refused {
            action,
            code,
            reason: Some(reason),
            retry_after,
        };
    }
    match read_remote(payload, bounds) {
        Ok(Ok(error)) => CallError::Service(error),
        Ok(Err(error)) => CallError::Remote { action, error },
        Err(error) => CallError::Content {
            action,
            error: error.into(),
        },
    }
}
