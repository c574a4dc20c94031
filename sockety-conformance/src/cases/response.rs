//! 7: responses.

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(7, "Response");
    section.case(
        "head.parent",
        "a response has the id that it answers, then its own",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let raw = Message::ask("raw").payload("parent");
            let response = peer.response(&raw).await?;
            equal("the answered id", response.head.parent, Some(raw.id))?;
            ensure(
                response.head.id != raw.id,
                "the response repeats the id that it answers",
            )?;
            peer.alive().await
        },
    );
    section.case(
        "head.reserved",
        "a response has no action, and bit G is ignored",
        async |t: Trial| {
            let answer = |id| Message::answer(id).payload("plain").reserved(2).bytes();
            relayed(t, answer, Told::response(b"plain")).await
        },
    );
    section.case(
        "packet.response",
        "a response with a payload",
        async |t: Trial| {
            let answer = |id| Message::answer(id).payload(content(70_000)).bytes();
            relayed(t, answer, Told::response(&content(70_000))).await
        },
    );
    section.case(
        "packet.response",
        "a response with files",
        async |t: Trial| {
            let answer = |id| Message::answer(id).file("a", "first").file("b", "").bytes();
            let files = vec![
                interop::file_digest("a", b"first"),
                interop::file_digest("b", b""),
            ];
            let told = Told {
                files,
                ..Told::response(b"")
            };
            relayed(t, answer, told).await
        },
    );
    section.case(
        "packet.response",
        "a response with a stream",
        async |t: Trial| {
            let answer = |id| {
                let first = Message::answer(id).payload("and").stream().bytes();
                [first, packet::stream(b"flow"), packet::STREAM_END.to_vec()].concat()
            };
            let told = Told {
                stream: Some(digest(b"flow")),
                ..Told::response(b"and")
            };
            relayed(t, answer, told).await
        },
    );
    section.case(
        "R3",
        "a response to an unknown id is dropped",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            for _ in 0..10 {
                let response = Message::answer(fresh_id(true))
                    .payload(content(1000))
                    .file("f", "dropped");
                peer.send(response.bytes()).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "reply.expected",
        "several responses to one message, in order",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let relay = Relay {
                replies: 3,
                ..Relay::default()
            };
            let call = relay.send(&mut peer).await?;
            for payload in ["one", "two", "three"] {
                peer.send(Message::answer(call.id).payload(payload).bytes())
                    .await?;
            }
            call.expect(
                &peer,
                &["one", "two", "three"].map(|text| Told::response(text.as_bytes())),
            )
            .await?;
            peer.alive().await
        },
    );
    section.case(
        "reply.expected",
        "a response that expects a reply is answered by its own id",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let relay = Relay {
                answer: Some(77),
                ..Relay::default()
            };
            let call = relay.send(&mut peer).await?;
            let response = Message::answer(call.id).payload("reply?").expecting();
            peer.send(response.bytes()).await?;
            peer.expect_code(&response.id, 77).await?;
            call.expect(&peer, &[Told::response(b"reply?")]).await?;
            peer.alive().await
        },
    );
    section.case(
        "reply.response",
        "a response is not answered automatically",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let call = Relay::default().send(&mut peer).await?;
            let response = Message::answer(call.id).payload("no reply").expecting();
            peer.send(response.bytes()).await?;
            call.expect(&peer, &[Told::response(b"no reply")]).await?;
            let nobody = Message::answer(fresh_id(true)).expecting();
            peer.send(nobody.bytes()).await?;
            for _ in 0..3 {
                peer.alive().await?;
            }
            for id in [response.id, nobody.id] {
                equal(
                    "answers to a response",
                    peer.look(|all| all.replies_to(&id)),
                    0,
                )?;
            }
            Ok(())
        },
    );
    section.case(
        "R11",
        "a large response to an abandoned call is dropped",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let relay = Relay {
                replies: 0,
                ..Relay::default()
            };
            let call = relay.send(&mut peer).await?;
            call.expect(&peer, &[]).await?;
            let response = Message::answer(call.id).payload(content(1 << 20)).stream();
            peer.send(response.bytes()).await?;
            for _ in 0..16 {
                peer.send(packet::stream(&content(1 << 18))).await?;
            }
            peer.send(packet::STREAM_END).await?;
            peer.alive().await
        },
    );
    section
}

/// Answers a message of the endpoint with `answer`, which the endpoint must report as `told`.
async fn relayed(t: Trial, answer: impl FnOnce([u8; 16]) -> Vec<u8>, told: Told) -> Outcome {
    let mut peer = t.peer().await?;
    let call = Relay::default().send(&mut peer).await?;
    peer.send(answer(call.id)).await?;
    call.expect(&peer, &[told]).await?;
    peer.alive().await
}
