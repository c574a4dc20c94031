//! 13: Abort.

use super::{prelude::*, switch_channel::two_channels};

pub fn section() -> Section {
    let mut section = Section::new(13, "Abort");
    section.case(
        "content.abort.idle",
        "an abort where nothing is in progress has no effect",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            peer.send(packet::ABORT).await?;
            peer.alive().await
        },
    );
    section.case("content.abort", "an abort inside a header", |t| {
        aborted(t, Message::ask("raw").pieces([12])[0].clone())
    });
    section.case("content.abort", "an abort inside a payload", |t| {
        aborted(
            t,
            [
                Message::ask("raw").announced(5).first(),
                packet::data(b"ab"),
            ]
            .concat(),
        )
    });
    section.case("content.abort", "an abort inside a file", |t| {
        let message = Message::ask("upload").announced_file("f", 5);
        aborted(t, [message.first(), packet::file(0, b"ab")].concat())
    });
    section.case("content.abort", "an abort inside a stream", |t| {
        let message = Message::ask("stream-sum").stream();
        aborted(t, [message.first(), packet::stream(b"ab")].concat())
    });
    section.case(
        "content.abort.idle",
        "an abort after the end of a message",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let raw = Message::ask("raw").payload("whole");
            peer.send([raw.bytes(), packet::ABORT.to_vec()].concat())
                .await?;
            ensure_same(&peer.expect_response(&raw.id).await?.payload, b"whole")?;
            peer.alive().await
        },
    );
    section.case(
        "content.abort",
        "the channel accepts messages of all kinds after an abort",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            peer.send(packet::switch(1)).await?;
            for _ in 0..5 {
                let begun = Message::ask("everything")
                    .announced(9)
                    .announced_file("f", 9)
                    .stream();
                peer.send([begun.first(), packet::data(b"ab"), packet::ABORT.to_vec()].concat())
                    .await?;
                peer.expect_echo(&Message::ask("raw").payload("new"), b"new")
                    .await?;
                let upload = Message::ask("upload").file("f", "abc");
                peer.send(upload.bytes()).await?;
                interop::expect_upload(&peer, &upload.id, &[("f", b"abc")]).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "content.abort",
        "an aborted message does not count as complete",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let sum = Message::ask("stream-sum").stream();
            let upload = Message::ask("upload").announced_file("f", 2);
            peer.send([sum.first(), packet::stream(b"ab"), packet::ABORT.to_vec()].concat())
                .await?;
            peer.send(
                [
                    upload.first(),
                    packet::file(0, b"ab"),
                    packet::ABORT.to_vec(),
                ]
                .concat(),
            )
            .await?;
            for _ in 0..5 {
                peer.alive().await?;
            }
            for id in [sum.id, upload.id] {
                let is_whole = peer.look(|all| all.response_to(&id).is_some());
                ensure(
                    !is_whole,
                    "an aborted message was answered as if it were complete",
                )?;
            }
            Ok(())
        },
    );
    section.case(
        "M18",
        "1,000 messages started and aborted are accepted, or end the connection",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            for _ in 0..1000 {
                let begun = Message::ask("stream-sum").stream();
                peer.send([begun.first(), packet::ABORT.to_vec()].concat())
                    .await?;
            }
            match peer.alive().await {
                Ok(()) => Ok(()),
                Err(_) => peer.closed().await.map(drop),
            }
        },
    );
    section
}

/// The channel must be free after an abort.
async fn aborted(t: Trial, begun: Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    peer.send([begun, packet::ABORT.to_vec()].concat()).await?;
    peer.ping().await?;
    peer.expect_echo(&Message::ask("raw").payload("next"), b"next")
        .await?;
    peer.alive().await
}
