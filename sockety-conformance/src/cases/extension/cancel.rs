//! Cancels, deadlines and numbers.

use super::*;

/// The code must say that the request was cancelled.
async fn expect_cancelled(peer: &Peer, request: &Message) -> Outcome {
    let code = peer.expect_refusal(&request.id).await?;
    ensure(
        [3_844, 3_847].contains(&code),
        format!("the code of a cancelled request is {code}"),
    )
}

pub(super) fn cases(section: &mut Section) {
    section.case(
        "ext.cancel.answer",
        "a request that waits for its stream is aborted, cancelled and answered once",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let sum = Message::ask("stream-sum").stream();
            let script = [
                sum.first(),
                packet::stream(b"some"),
                packet::ABORT.to_vec(),
                packet::cancel(&[0]),
            ];
            peer.send(script.concat()).await?;
            expect_cancelled(&peer, &sum).await?;
            peer.ping().await
        },
    );
    section.case(
        "ext.cancel.answer",
        "an upload is cancelled while its files arrive",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let upload = Message::ask("upload")
                .announced_file("a", 1 << 20)
                .announced_file("b", 1);
            peer.send([upload.first(), packet::file(0, &[1; 50_000])].concat())
                .await?;
            let script = [packet::ABORT.to_vec(), packet::cancel(&[0])];
            peer.send(script.concat()).await?;
            expect_cancelled(&peer, &upload).await?;
            // Its channel is free, and its number was counted.
            let again = Message::ask("upload").file("a", "whole");
            peer.send(again.bytes()).await?;
            interop::expect_upload(&peer, &again.id, &[("a", b"whole")]).await
        },
    );
    section.case(
        "ext.cancel.answer",
        "an answer whose content is on its way ends with Status 3844 and Abort",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(1, 4_096)]).await?;
            let download = interop::download(&[("a", 10_000)]);
            peer.send(download.bytes()).await?;
            peer.part_of(&download.id, "a window of the file", |response| {
                response.files[0].content.len() == 4_096
            })
            .await?;
            peer.send(packet::cancel(&[0])).await?;
            let ended = peer
                .part_of(&download.id, "Abort", |response| response.is_aborted)
                .await?;
            equal("status", ended.status, Some(3_844))?;
            peer.alive().await?;
            equal("replies", peer.look(|all| all.replies_to(&download.id)), 1)
        },
    );
    section.case(
        "ext.cancel.answer",
        "requests that are cancelled at once are answered exactly once each",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let all: Vec<_> = (0..100).map(|_| long()).collect();
            let mut script = Vec::new();
            for (number, request) in (0..).zip(&all) {
                script.extend(request.bytes());
                script.extend(packet::cancel(&[number]));
            }
            peer.send(script).await?;
            for request in &all {
                expect_cancelled(&peer, request).await?;
            }
            // A second reply would have been noticed.
            peer.alive().await
        },
    );
    section.case(
        "ext.cancel.slot",
        "requests that are cancelled leave their places to others",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let places = peer.setting(9, 256).await?.min(400) as u32;
            for round in 0..3 {
                let all: Vec<_> = (0..places).map(|_| long()).collect();
                let script: Vec<_> = all.iter().map(Message::bytes).collect();
                peer.send(script.concat()).await?;
                let numbers: Vec<_> = (round * places..(round + 1) * places).collect();
                peer.send(packet::cancel(&numbers)).await?;
                for request in &all {
                    let code = peer.expect_refusal(&request.id).await?;
                    ensure(
                        [3_844, 3_847].contains(&code),
                        format!("code {code} in round {round}"),
                    )?;
                }
            }
            peer.alive().await
        },
    );
    section.case(
        "ext.cancel.count",
        "a number may be cancelled again, and may be that of a one-way message",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let script = [
                Message::tell("note").bytes(),
                Message::ask("ping").bytes(),
                Message::ask("ping").bytes(),
                packet::cancel(&[0]),
                packet::cancel(&[2]),
            ];
            peer.send(script.concat()).await?;
            peer.alive().await?;
            // The ping of that is the third request.
            peer.send(packet::cancel(&[2])).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.cancel.count",
        "one cancel more than requests ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (first, second) = (Message::ask("ping"), Message::ask("ping"));
            let script = [
                first.bytes(),
                Message::tell("note").bytes(),
                second.bytes(),
                packet::cancel(&[0, 1]),
            ];
            peer.send(script.concat()).await?;
            peer.reply(&second.id).await?;
            peer.expect_end_after(packet::cancel(&[2])).await
        },
    );
    section.case(
        "ext.number.unknown",
        "the number of the next message ends the connection, the last does not",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (first, second) = (Message::ask("ping"), long());
            peer.send([first.bytes(), second.bytes(), packet::cancel(&[1])].concat())
                .await?;
            expect_cancelled(&peer, &second).await?;
            peer.expect_end_after(packet::cancel(&[2])).await
        },
    );
    section.case(
        "ext.number",
        "messages that are refused, aborted, one-way or in pieces count, and nothing else does",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let pieces = Message::ask("ping").pieces([3, 7]);
            let held = long();
            let script = [
                Message::ask("no-such-action").bytes(),
                Message::tell("note").bytes(),
                pieces.concat(),
                packet::HEARTBEAT.to_vec(),
                packet::control(&[4, 1, 2, 3, 4, 5, 6, 7, 8]),
                packet::metadata(&[0x20, 0]),
                Message::tell("hold").stream().first(),
                packet::stream(b"x"),
                packet::ABORT.to_vec(),
                Message::tell("cut").pieces([4])[0].clone(),
                packet::ABORT.to_vec(),
                packet::sized(0x20, b""),
                packet::ABORT.to_vec(),
                held.bytes(),
                packet::cancel(&[6]),
            ];
            peer.send(script.concat()).await?;
            expect_cancelled(&peer, &held).await?;
            peer.expect_end_after(packet::cancel(&[7])).await
        },
    );
    section.case(
        "ext.number",
        "responses count among the messages",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let relayed = Relay::default().send(&mut peer).await?;
            let held = long();
            let script = [
                Message::answer(relayed.id).payload("answer").bytes(),
                held.bytes(),
                packet::cancel(&[2]),
            ];
            peer.send(script.concat()).await?;
            relayed.expect(&peer, &[Told::response(b"answer")]).await?;
            expect_cancelled(&peer, &held).await
        },
    );
    section.case(
        "ext.cancel.when",
        "the endpoint cancels a request that it gives up",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let relay = Relay {
                replies: 0,
                ..Relay::default()
            };
            let relayed = relay.send(&mut peer).await?;
            let number = |all: &crate::received::Received| {
                let message = all.messages.iter().find(|each| each.head.id == relayed.id);
                message.map(|message| message.number)
            };
            peer.until("Cancel", |all| {
                number(all)
                    .is_some_and(|number| all.cancels.contains(&number))
                    .then_some(())
            })
            .await?;
            peer.send(packet::code(3_844, &relayed.id)).await?;
            relayed.expect(&peer, &[]).await?;
            peer.alive().await?;
            equal("number of cancels", peer.look(|all| all.cancels.len()), 1)
        },
    );
    section.case(
        "ext.cancel.caller",
        "the answer to a cancelled request is dropped, also one with content",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let relay = Relay {
                replies: 0,
                ..Relay::default()
            };
            let relayed = relay.send(&mut peer).await?;
            peer.until("Cancel", |all| (!all.cancels.is_empty()).then_some(()))
                .await?;
            let late = Message::answer(relayed.id)
                .payload("late")
                .file("f", "content")
                .stream();
            let script = [
                late.bytes(),
                packet::stream(&[1; 100_000]),
                packet::STREAM_END.to_vec(),
            ];
            peer.send(script.concat()).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.content.exact",
        "a Cancel packet that ends inside a number ends the connection",
        async |t: Trial| {
            let request = long().bytes();
            let cuts = [1, 2, 3, 5, 7].map(|length| {
                let content = [1, 0, 0, 0, 0, 0, 0, 0, 0];
                [request.clone(), packet::control(&content[..=length])].concat()
            });
            ends_after(&t, cuts).await
        },
    );
    section.case(
        "ext.meta.deadline",
        "deadlines are read in every width",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            // A wider number, read as a narrower one, is 0 or has a wrong next entry.
            let passing = [
                &[0, 200][..],
                &[1, 200, 0],
                &[2, 200, 0, 0],
                &[3, 200, 0, 0, 0],
            ];
            for entries in passing {
                let request = long();
                peer.send([packet::metadata(entries), request.bytes()].concat())
                    .await?;
                peer.expect_code(&request.id, 3_843).await?;
            }
            let long = [&[1, 0, 250][..], &[2, 0, 0, 1], &[3, 0, 0, 0, 1]];
            for entries in long {
                let request = interop::hold(100);
                peer.send([packet::metadata(entries), request.bytes()].concat())
                    .await?;
                peer.expect_code(&request.id, 0).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.deadline",
        "a one-way message whose deadline is over is not executed",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let value = |text: &str| [&[0xD9, text.len() as u8], text.as_bytes()].concat();
            let (late, kept) = (fresh_id(false), fresh_id(false));
            let text = |id: [u8; 16]| sockety_conformance::wire::hex(&id);
            let (late, kept) = (text(late), text(kept));
            let note = |text: &str| Message::tell("note").payload(value(text)).bytes();
            let script = [
                packet::metadata(&[0, 0]),
                note(&late),
                packet::metadata(&[1, 0x30, 0x75]),
                note(&kept),
            ];
            peer.send(script.concat()).await?;
            let all = peer.response(&Message::ask("notes")).await?.payload;
            let has = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
            ensure(has(&kept), "the message with time left was not executed")?;
            ensure(
                !has(&late),
                "the message whose deadline is over was executed",
            )
        },
    );
    section.case(
        "ext.meta.deadline",
        "a deadline that is over while a request is not begun, with its content",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let upload = Message::ask("upload").announced_file("a", 100_000);
            let script = [
                packet::metadata(&[0, 0]),
                upload.first(),
                packet::file(0, &[1; 100_000]),
                packet::file_end(0),
            ];
            peer.send(script.concat()).await?;
            peer.expect_code(&upload.id, 3_847).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.cancel.deadline",
        "an upload whose deadline passes while it is read",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let upload = Message::ask("upload").announced_file("a", 100_000);
            let script = [
                packet::metadata(&[1, 0x2C, 1]),
                upload.first(),
                packet::file(0, &[1; 10]),
            ];
            peer.send(script.concat()).await?;
            let code = peer.expect_refusal(&upload.id).await?;
            ensure(
                [3_843, 3_847].contains(&code),
                format!("the code is {code}"),
            )?;
            // What comes of it is dropped.
            let rest = [packet::file(0, &[1; 99_990]), packet::file_end(0)];
            peer.send(rest.concat()).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.nested",
        "a call of the endpoint has what is left of the deadline of its cause",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let relay = Relay::default();
            let request = Message::ask("relay").payload(interop::msgpack(&relay));
            peer.send([packet::metadata(&[1, 0x20, 0x4E]), request.bytes()].concat())
                .await?;
            let call = peer
                .until("the endpoint's own message", |all| {
                    if all.code_of(&request.id) == Some(NOT_IMPLEMENTED) {
                        return Some(None);
                    }
                    all.messages
                        .iter()
                        .find(|each| !each.is_response)
                        .cloned()
                        .map(Some)
                })
                .await?;
            let Some(call) = call else {
                return skip("the endpoint does not provide the action `relay`");
            };
            let millis = match call.metadata[..] {
                [0, a, ..] => u32::from(a),
                [1, a, b, ..] => u32::from_le_bytes([a, b, 0, 0]),
                _ => return fail(format!("its metadata is {:?}", call.metadata)),
            };
            ensure(
                millis > 0 && millis <= 20_000,
                format!("its deadline is {millis} ms, that of its cause 20,000 ms"),
            )?;
            peer.send(packet::code(0, &call.head.id)).await?;
            peer.expect_response(&request.id).await.map(drop)
        },
    );
}
