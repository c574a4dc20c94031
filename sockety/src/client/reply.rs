//! Converts the reply to a call into what the method returns.

use super::call_draft::Read;
use crate::{
    content::received::Carried,
    engine::{lease::Lease, pending::RawReply},
    error::{
        call::CallError,
        remote::{RemoteError, read_remote},
        service::ServiceError,
    },
    fast_reply::FastReply,
    message::typed::Received,
    msgpack::__private::is_service_error,
    payload::payload_bytes::PayloadBytes,
};

pub(crate) fn read_reply<T, E: ServiceError>(
    reply: RawReply,
    read: Read<T>,
    lease: &Lease,
) -> Result<T, CallError<E>> {
    let item_limit = lease.shared.payload_limit();
    match reply {
        RawReply::Fast(FastReply::ACCEPT) => {
            let mut nothing = Received::new(PayloadBytes::EMPTY, Carried::default(), item_limit);
            read(&mut nothing).map_err(CallError::Content)
        }
        RawReply::Fast(code) => Err(read_code(code)),
        RawReply::Response(response) if is_service_error(&response.payload) => {
            Err(read_error(&response.payload))
        }
        RawReply::Response(response) => {
            let mut received = Received::new(
                response.payload,
                Carried::new(response.carried, lease),
                item_limit,
            );
            read(&mut received).map_err(CallError::Content)
        }
    }
}

fn read_code<E: ServiceError>(code: FastReply) -> CallError<E> {
    if let Some(error) = E::from_code(code.code()) {
        return CallError::Service(error);
    }
    let remote = RemoteError::coded(E::VARIANTS, code);
    remote.map_or(CallError::Refused(code), CallError::Remote)
}

fn read_error<E: ServiceError>(payload: &[u8]) -> CallError<E> {
    match read_remote(payload) {
        Ok(Ok(error)) => CallError::Service(error),
        Ok(Err(remote)) => CallError::Remote(remote),
        Err(error) => CallError::Content(error.into()),
    }
}
