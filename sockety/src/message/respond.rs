//! Sends responses.

use sockety_codec::Uuid;

use super::{
    outgoing::{Content, OutgoingResponse},
    request::Request,
    sent::Sent,
};
use crate::{
    content::carrying::{Sending, Unwritten, parcel},
    engine::{
        early_end::Which, pending::ReplyClock, pending_reply::PendingReply, send::queue,
        state::State,
    },
    error::send::SendError,
    fast_reply::FastReply,
    metadata::Metadata,
};

/// Answers a message; [`SendError::NotExpected`] if it expects no reply.
pub(crate) async fn respond(
    reply: &PendingReply,
    response: &OutgoingResponse,
) -> Result<Sent, SendError> {
    check_expected(reply)?;
    let (id, sending) =
        send_response(reply, response.content(), response.metadata(), false).await?;
    note_answered(reply);
    Ok(Sent::new(id, sending))
}

/// Like [`respond`], with a response that expects an answer itself.
pub(crate) async fn respond_expecting(
    reply: &PendingReply,
    response: &OutgoingResponse,
) -> Result<Request, SendError> {
    check_expected(reply)?;
    let (id, sending) = send_response(reply, response.content(), response.metadata(), true).await?;
    note_answered(reply);
    Ok(Request::new(id, sending))
}

/// Like [`respond`], with a code.
pub(crate) async fn fast_reply(reply: &PendingReply, code: FastReply) -> Result<(), SendError> {
    check_expected(reply)?;
    reply.fast_reply(code).await?;
    note_answered(reply);
    Ok(())
}

// r[impl reply.only-when-expected]
fn check_expected(reply: &PendingReply) -> Result<(), SendError> {
    if reply.expects_response {
        Ok(())
    } else {
        Err(SendError::NotExpected)
    }
}

/// The message was answered by code that may go on, and answer again.
fn note_answered(reply: &PendingReply) {
    Which::new(reply.number, &**reply.lease().shared()).note_answered();
}

/// Answers a message, whether it expects a reply or not.
pub(crate) async fn send_response(
    reply: &PendingReply,
    content: &Content,
    metadata: Option<&Metadata>,
    expects_response: bool,
) -> Result<(Uuid, Sending), SendError> {
    let shared = reply.lease().shared();
    let (payload, mut taken) = content.prepare(shared, Unwritten::Waits)?;
    let head = reply.head(expects_response);
    let mut parcel = parcel(head, payload, &mut taken, ReplyClock::Default);
    parcel.metadata = metadata;
    let (id, line) = (parcel.id(), parcel.line());
    let put = |state: &mut State| reply.submit(state, &mut parcel);
    let submitted = queue::put(shared, line, put).await?;
    let sending = Sending::start(reply.lease().clone(), submitted, taken);
    reply.record.set_content(|| sending.queued.content());
    Ok((id, sending))
}
