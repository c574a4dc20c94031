//! Responses on their way out.

use sockety_codec::Uuid;

use super::{
    outgoing::{Content, OutgoingResponse},
    request::Request,
    sent::Sent,
};
use crate::{
    content::carrying::{Sending, Unwritten},
    engine::{
        answered::Answered,
        owed::Owed,
        send::{entry::Entry, outbox::Payload, queue},
        state::State,
    },
    error::send::SendError,
    fast_reply::FastReply,
};

/// Answers a message that may not expect it, which is an error then.
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
    let (shared, lease) = (&owed.lease.shared, owed.lease.clone());
    let payload = content.checked_payload(shared)?;
    let answered = || Answered::response(payload.len(), payload.is_error());
    let head = owed.response_head(expects_response);
    let Some(carrying) = &content.carrying else {
        let put = |state: &mut State| {
            owed.put(state, answered, |state| {
                state.send_response(&head, Payload::of(payload))
            })
        };
        let span = queue::put(shared, Entry::Reply, put).await?;
        return Ok((head.id, Sending::whole(lease, span)));
    };
    let cargo = carrying.take()?;
    let mut layout = cargo.plan(Unwritten::Waits);
    let put = |state: &mut State| {
        owed.put(state, answered, |state| {
            state.begin_response(&head, Payload::of(payload), &mut layout)
        })
    };
    let (key, span) = queue::put(shared, Entry::CarryingReply, put).await?;
    Ok((
        head.id,
        Sending::carrying(lease, span, key, cargo, Unwritten::Waits),
    ))
}
