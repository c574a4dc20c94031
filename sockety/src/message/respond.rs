//! Sends responses.

use sockety_codec::Uuid;

use super::{
    outgoing::{Content, OutgoingResponse},
    request::Request,
    sent::Sent,
};
use crate::{
    content::carrying::{Sending, Unwritten, parcel},
    engine::{owed::Owed, pending::ReplyClock, send::queue, state::State},
    error::send::SendError,
    fast_reply::FastReply,
};

/// Answers a message; [`SendError::NotExpected`] if it expects no reply.
pub(crate) async fn respond(owed: &Owed, response: &OutgoingResponse) -> Result<Sent, SendError> {
    check_expected(owed)?;
    let (id, sending) = send_response(owed, response.content(), false).await?;
    Ok(Sent::new(id, sending))
}

/// Like [`respond`], with a response that expects an answer itself.
pub(crate) async fn respond_expecting(
    owed: &Owed,
    response: &OutgoingResponse,
) -> Result<Request, SendError> {
    check_expected(owed)?;
    let (id, sending) = send_response(owed, response.content(), true).await?;
    Ok(Request::new(id, sending))
}

/// Like [`respond`], with a code.
pub(crate) async fn fast_reply(owed: &Owed, code: FastReply) -> Result<(), SendError> {
    check_expected(owed)?;
    owed.fast_reply(code).await
}

// r[impl reply.only-when-expected]
fn check_expected(owed: &Owed) -> Result<(), SendError> {
    if owed.expects_response {
        Ok(())
    } else {
        Err(SendError::NotExpected)
    }
}

/// Answers a message, whether it expects a reply or not.
pub(crate) async fn send_response(
    owed: &Owed,
    content: &Content,
    expects_response: bool,
) -> Result<(Uuid, Sending), SendError> {
    let shared = &owed.lease.shared;
    let (payload, mut taken) = content.prepare(shared, Unwritten::Waits)?;
    let head = owed.head(expects_response);
    let mut parcel = parcel(head, payload, &mut taken, ReplyClock::Default);
    let (id, line) = (parcel.id(), parcel.line());
    let put = |state: &mut State| owed.submit(state, &mut parcel);
    let submitted = queue::put(shared, line, put).await?;
    let sending = Sending::start(owed.lease.clone(), submitted, taken);
    Ok((id, sending))
}
