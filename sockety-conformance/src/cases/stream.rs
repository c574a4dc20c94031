//! 10: Stream and Stream End.

use std::time::Duration;

use super::{prelude::*, switch_channel::two_channels};

pub fn section() -> Section {
    let mut section = Section::new(10, "Stream");
    for (form, width) in ["one byte", "two bytes", "three bytes", "four bytes"]
        .iter()
        .enumerate()
    {
        section.case("packet.stream", format!("a size of {width}"), move |t| {
            sum(t, vec![packet::stream_as(form, b"flow")], b"flow".to_vec())
        });
    }
    section.case("packet.empty.read", "an empty packet has no effect", |t| {
        let packets = [&b"a"[..], b"", b"b"].map(packet::stream);
        sum(t, packets.to_vec(), b"ab".to_vec())
    });
    section.case("packet.stream", "packets of one byte", |t| {
        let bytes = content(300);
        sum(
            t,
            bytes.chunks(1).map(packet::stream).collect(),
            bytes.clone(),
        )
    });
    section.case(
        "packet.stream.end",
        "an end without content before it",
        |t| sum(t, Vec::new(), Vec::new()),
    );
    section.case(
        "content.order",
        "the end of the stream before the headers of all files",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let message = Message::ask("everything")
                .file("a", "first")
                .file("b", "second")
                .stream();
            let pieces = message.pieces([message.head().len() - 4]);
            let stream = [packet::stream(b"early"), packet::STREAM_END.to_vec()].concat();
            peer.send(
                [&pieces[0], &stream, &pieces[1], &message.content()]
                    .map(|part| &part[..])
                    .concat(),
            )
            .await?;
            let expected = interop::Everything {
                data: digest(b""),
                files: vec![
                    interop::file_digest("a", b"first"),
                    interop::file_digest("b", b"second"),
                ],
                stream: digest(b"early"),
            };
            let response = peer.expect_response(&message.id).await?;
            equal("content received", interop::value_of(&response)?, expected)?;
            peer.alive().await
        },
    );
    section.case(
        "content.stream.announced",
        "a stream that was not announced ends the connection",
        async |t: Trial| {
            let open = || Message::ask("raw").announced(10).first();
            t.peer()
                .await?
                .expect_end_after([open(), packet::stream(b"x")].concat())
                .await?;
            t.peer()
                .await?
                .expect_end_after([open(), packet::STREAM_END.to_vec()].concat())
                .await
        },
    );
    section.case(
        "content.stream.once",
        "a stream that continues after its end ends the connection",
        async |t: Trial| {
            t.peer()
                .await?
                .expect_end_after([ended(), packet::stream(b"more")].concat())
                .await
        },
    );
    section.case(
        "content.stream.once",
        "a stream that ends twice ends the connection",
        async |t: Trial| {
            t.peer()
                .await?
                .expect_end_after([ended(), packet::STREAM_END.to_vec()].concat())
                .await
        },
    );
    section.case(
        "content.mixed",
        "two streams on two channels, packet by packet",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let messages = [(); 2].map(|()| Message::ask("stream-sum").stream());
            let sent = |channel: u16, bytes: Vec<u8>| [packet::switch(channel), bytes].concat();
            for (channel, message) in (0..).zip(&messages) {
                peer.send(sent(channel, message.first())).await?;
            }
            for byte in 0..50 {
                for channel in 0..2 {
                    peer.send(sent(channel, packet::stream(&[byte, channel as u8])))
                        .await?;
                }
            }
            for (channel, message) in (0..).zip(&messages) {
                peer.send(sent(channel, packet::STREAM_END.to_vec()))
                    .await?;
                let expected: Vec<_> = (0..50).flat_map(|byte| [byte, channel as u8]).collect();
                interop::expect_sum(&peer, &message.id, &expected).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "content.mixed",
        "stream, payload and files interleaved",
        mixed,
    );
    section.case(
        "S6",
        "an unread stream does not block another channel",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let hold = interop::hold(30_000).stream();
            peer.send(hold.bytes()).await?;
            // Without this action, the case would pass trivially.
            peer.send(packet::switch(1)).await?;
            peer.ping().await?;
            if peer.look(|all| all.code_of(&hold.id)) == Some(NOT_IMPLEMENTED) {
                return skip("the endpoint does not provide the action `hold`");
            }
            let ping = Message::ask("ping");
            peer.send([packet::switch(0), packet::stream(&content(2 << 20))].concat())
                .await?;
            peer.send([packet::switch(1), ping.bytes()].concat())
                .await?;
            let reply = peer.reply_within(Duration::from_secs(12), &ping.id).await;
            t.recommend(reply.map(drop))
        },
    );
    section
}

/// A message whose stream has ended, with its payload incomplete.
fn ended() -> Vec<u8> {
    let open = Message::ask("everything").announced(10).stream();
    [
        open.first(),
        packet::stream(b"flow"),
        packet::STREAM_END.to_vec(),
    ]
    .concat()
}

async fn sum(t: Trial, packets: Vec<Vec<u8>>, expected: Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    let message = Message::ask("stream-sum").stream();
    peer.send(message.first()).await?;
    for packet in packets {
        peer.send(packet).await?;
    }
    peer.send(packet::STREAM_END).await?;
    interop::expect_sum(&peer, &message.id, &expected).await?;
    peer.alive().await
}

async fn mixed(t: Trial) -> Outcome {
    let mut peer = t.peer().await?;
    let message = Message::ask("everything")
        .announced(4)
        .announced_file("a", 4)
        .announced_file("b", 2)
        .stream();
    peer.send(message.first()).await?;
    let parts = [
        packet::file(1, b"b"),
        packet::data(b"da"),
        packet::stream(b"st"),
        packet::file(0, b"aa"),
        packet::data(b"ta"),
        packet::file(1, b"b"),
        packet::file_end(1),
        packet::stream(b"ream"),
        packet::file(0, b"aa"),
        packet::STREAM_END.to_vec(),
        packet::file_end(0),
    ];
    peer.send_each(parts).await?;
    let expected = interop::Everything {
        data: digest(b"data"),
        files: vec![
            interop::file_digest("a", b"aaaa"),
            interop::file_digest("b", b"bb"),
        ],
        stream: digest(b"stream"),
    };
    let response = peer.expect_response(&message.id).await?;
    equal("content received", interop::value_of(&response)?, expected)?;
    peer.alive().await
}
