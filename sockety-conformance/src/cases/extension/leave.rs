//! Leave and Done.

use super::*;
use std::time::Duration;

/// Makes the endpoint leave while it executes a request, and waits for its Leave. The request has number
/// 0, and what makes it leave number 1.
async fn leaving(t: &Trial, millis: u64) -> Outcome<(Peer, Message)> {
    let mut peer = t.extended().await?;
    let held = interop::hold(millis);
    let close = Message::ask("close");
    peer.send([held.bytes(), close.bytes()].concat()).await?;
    if let Reply::Code(NOT_IMPLEMENTED) = peer.reply(&close.id).await? {
        return skip("the endpoint does not provide the action `close`");
    }
    peer.until("Leave", |all| (!all.leaves.is_empty()).then_some(()))
        .await?;
    Ok((peer, held))
}

async fn expect_done(peer: &Peer) -> Outcome {
    peer.until("Done", |all| (all.dones > 0).then_some(()))
        .await
}

/// The endpoint's own call must fail, and `relay` must say so.
async fn expect_failed_call(peer: &Peer, request: &Message) -> Outcome {
    match peer.reply(&request.id).await? {
        Reply::Code(NOT_IMPLEMENTED) => skip("the endpoint does not provide the action `relay`"),
        Reply::Code(_) => Ok(()),
        Reply::Response(response) => {
            let told: Vec<Told> = interop::value_of(&response)?;
            let has_failed = told.last().is_some_and(|told| told.error.is_some());
            ensure(has_failed, format!("the call did not fail: {told:?}"))
        }
    }
}

pub(super) fn cases(section: &mut Section) {
    section.case(
        "ext.leave",
        "an endpoint that closes sends Leave with taken open",
        async |t: Trial| {
            let (peer, _) = leaving(&t, 600_000).await?;
            let first = peer.look(|all| all.leaves[0]);
            equal("taken of the first Leave", first.0, None)?;
            equal("Go Away packets", peer.look(|all| all.go_aways), 0)
        },
    );
    section.case(
        "ext.leave.taken",
        "messages are executed after a Leave with taken open",
        async |t: Trial| {
            let (mut peer, _) = leaving(&t, 600_000).await?;
            peer.ping().await?;
            peer.expect_echo(&Message::ask("raw").payload("late"), b"late")
                .await
        },
    );
    section.case(
        "ext.leave.course",
        "after Done the endpoint answers what is under way, and ends the connection",
        async |t: Trial| {
            let (mut peer, held) = leaving(&t, 1_000).await?;
            let last = Message::ask("raw").payload("last");
            peer.send([last.bytes(), packet::DONE.to_vec()].concat())
                .await?;
            peer.expect_response(&last.id).await?;
            peer.expect_code(&held.id, 0).await?;
            peer.closed().await.map(drop)
        },
    );
    section.case(
        "ext.leave.done",
        "a message after an expected Done ends the connection",
        async |t: Trial| {
            for message in [Message::ask("ping"), Message::tell("note")] {
                let (mut peer, held) = leaving(&t, 2_500).await?;
                peer.send(packet::DONE).await?;
                // Nothing is wrong so far.
                peer.send(packet::control(&[4, 8, 7, 6, 5, 4, 3, 2, 1]))
                    .await?;
                peer.until("Pong", |all| (!all.pongs.is_empty()).then_some(()))
                    .await?;
                peer.expect_end_after(message.bytes()).await?;
                let replies = peer.look(|all| all.replies_to(&message.id));
                equal("replies to the message", replies, 0)?;
                // Otherwise the connection would have gone on until that answer.
                let replies = peer.look(|all| all.replies_to(&held.id));
                equal("replies to the request under way", replies, 0)?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.leave.done",
        "Done without a Leave of the endpoint ends the connection",
        async |t: Trial| ends_after(&t, [packet::DONE.to_vec()]).await,
    );
    section.case(
        "ext.leave.done",
        "a response may follow Done",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let relayed = Relay::default().send(&mut peer).await?;
            let held = interop::hold(1_500);
            let close = Message::ask("close");
            peer.send([held.bytes(), close.bytes()].concat()).await?;
            peer.until("Leave", |all| (!all.leaves.is_empty()).then_some(()))
                .await?;
            let answer = Message::answer(relayed.id).payload("answer");
            peer.send([packet::DONE.to_vec(), answer.bytes()].concat())
                .await?;
            // The connection goes on.
            peer.expect_code(&held.id, 0).await
        },
    );
    section.case(
        "ext.leave.course",
        "without Done, Leave says how many messages were taken, and later ones are not answered",
        async |t: Trial| {
            let (mut peer, held) = leaving(&t, 4_000).await?;
            let taken = peer
                .within(Duration::from_secs(20), "Leave with a number", |all| {
                    all.leaves.iter().find_map(|leave| leave.0)
                })
                .await?;
            equal("messages taken", taken, 2)?;
            let late = Message::ask("ping");
            peer.send(late.bytes()).await?;
            peer.expect_code(&held.id, 0).await?;
            peer.closed().await?;
            let replies = peer.look(|all| all.replies_to(&late.id));
            equal("replies to a message that was not taken", replies, 0)
        },
    );
    section.case(
        "ext.leave.done",
        "Leave is answered with Done, and requests of the suite go on",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.ping().await?;
            peer.send(packet::leave(None, 0, b"maintenance")).await?;
            expect_done(&peer).await?;
            peer.alive().await?;
            equal("number of Dones", peer.look(|all| all.dones), 1)
        },
    );
    section.case(
        "ext.leave.peer",
        "after Leave the endpoint sends no request",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.send(packet::leave(None, 0, b"")).await?;
            expect_done(&peer).await?;
            let request = Message::ask("relay").payload(interop::msgpack(&Relay::default()));
            peer.send(request.bytes()).await?;
            expect_failed_call(&peer, &request).await?;
            let calls =
                peer.look(|all| all.messages.iter().filter(|each| !each.is_response).count());
            equal("number of messages after Leave", calls, 0)
        },
    );
    section.case(
        "ext.leave.peer",
        "a request that was not taken fails at once",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let request = Message::ask("relay").payload(interop::msgpack(&Relay::default()));
            peer.send(request.bytes()).await?;
            peer.until("the endpoint's own message", |all| {
                let is_missing = all.code_of(&request.id).is_some();
                (is_missing || all.messages.iter().any(|each| !each.is_response)).then_some(())
            })
            .await?;
            peer.send(packet::leave(Some(0), 0, b"")).await?;
            expect_failed_call(&peer, &request).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.leave.peer",
        "a request that was taken is answered after Leave",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let relayed = Relay::default().send(&mut peer).await?;
            let script = [
                packet::leave(None, 0, b""),
                packet::leave(Some(1), 0, b""),
                packet::code(9, &relayed.id),
            ];
            peer.send(script.concat()).await?;
            relayed.expect(&peer, &[Told::code(9)]).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.leave.taken",
        "Leave may be repeated, and taken may fall from open to a number",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.ping().await?;
            for taken in [None, None, Some(0), Some(0)] {
                peer.send(packet::leave(taken, 0, b"")).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "ext.leave.taken",
        "a rise of taken ends the connection",
        async |t: Trial| {
            let open = [packet::leave(Some(0), 0, b""), packet::leave(None, 0, b"")];
            ends_after(&t, [open.concat()]).await?;
            let mut peer = t.extended().await?;
            peer.expect_echo(&Message::ask("raw").payload("a"), b"a")
                .await?;
            peer.send(packet::leave(Some(0), 0, b"")).await?;
            peer.alive().await?;
            peer.expect_end_after(packet::leave(Some(1), 0, b"")).await
        },
    );
    section.case(
        "ext.leave.taken",
        "more messages taken than the endpoint has sent end the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.expect_echo(&Message::ask("raw").payload("a"), b"a")
                .await?;
            let sent = peer.look(|all| all.messages.len()) as u64;
            peer.send(packet::leave(Some(sent), 0, b"")).await?;
            peer.alive().await?;
            drop(peer);
            let far = packet::leave(Some(1_000), 0, b"");
            ends_after(&t, [far]).await
        },
    );
    section.case(
        "ext.leave.reason",
        "every reason, also an unknown one",
        async |t: Trial| {
            const LAME_DUCK: u8 = 8;
            for reason in [1, 2, 3, 4, 5, 6, 7, LAME_DUCK, 9, 200, 255] {
                let mut peer = t.extended().await?;
                peer.send(packet::leave(None, reason, b"")).await?;
                if reason == LAME_DUCK {
                    // Done is owed after the Leave that follows, and may come before it.
                    peer.alive().await?;
                    peer.send(packet::leave(None, 0, b"")).await?;
                }
                expect_done(&peer).await?;
                peer.alive().await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.content.exact",
        "the text of Leave: 200 bytes are accepted, more and invalid UTF-8 end the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.send(packet::leave(None, 0, "ä".repeat(100).as_bytes()))
                .await?;
            expect_done(&peer).await?;
            peer.alive().await?;
            drop(peer);
            let wrong = [
                packet::leave(None, 0, &[b'a'; 201]),
                packet::leave(None, 0, b"\xFF"),
                packet::leave(None, 0, b"cut \xC3"),
            ];
            ends_after(&t, wrong).await?;
            let whole = [2; 16];
            ends_after(&t, (1..16).map(|length| packet::control(&whole[..length]))).await
        },
    );
    section.case(
        "ext.leave",
        "Go Away is read as a Leave with taken open",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.send(packet::GO_AWAY).await?;
            expect_done(&peer).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.leave.both",
        "both sides leave, and each answers with Done",
        async |t: Trial| {
            let (mut peer, held) = leaving(&t, 1_000).await?;
            let script = [packet::leave(None, 0, b""), packet::DONE.to_vec()];
            peer.send(script.concat()).await?;
            expect_done(&peer).await?;
            peer.expect_code(&held.id, 0).await?;
            peer.closed().await.map(drop)
        },
    );
    section.case(
        "ext.leave.last",
        "a last Leave says that the suite has broken the protocol",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.ping().await?;
            peer.expect_end_after([0xF3, 0]).await?;
            let last = peer.look(|all| all.leaves.last().copied());
            t.recommended(
                last == Some((Some(1), 3)),
                format!("the last Leave (taken, reason) is {last:?} instead of 1 and 3"),
            )
        },
    );
}
