//! 8: Continue.

use super::{prelude::*, switch_channel::two_channels};

pub fn section() -> Section {
    let mut section = Section::new(8, "Continue");
    section.case(
        "head.cut",
        "a header split after each of its bytes",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let length = full().head().len();
            for cut in 1..length {
                let message = full();
                peer.send([message.pieces([cut]).concat(), message.content()].concat())
                    .await?;
                expect_full(&peer, &message).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "head.cut",
        "a first packet without bytes of the header",
        |t| in_pieces(t, [0]),
    );
    section.case(
        "packet.empty.read",
        "an empty Continue packet between others",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let message = full();
            let empty = packet::continued(&[]);
            peer.send([message.pieces([9, 9]).join(&empty[..]), message.content()].concat())
                .await?;
            expect_full(&peer, &message).await?;
            peer.alive().await
        },
    );
    section.case(
        "head.cut",
        "two headers in pieces on two channels",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let messages = [full(), full()];
            let [one, two] = messages.each_ref().map(|message| message.pieces([3; 100]));
            for (one, two) in one.iter().zip(&two) {
                peer.send(
                    [&packet::switch(0), one, &packet::switch(1), two]
                        .map(|part| &part[..])
                        .concat(),
                )
                .await?;
            }
            for (channel, message) in (0..).zip(&messages) {
                peer.send([packet::switch(channel), message.content()].concat())
                    .await?;
                expect_full(&peer, message).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "packet.channelless",
        "switches and fast replies between the pieces",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let message = full();
            let between = || {
                [
                    packet::switch(1),
                    packet::code(0, &fresh_id(true)),
                    packet::switch(0),
                ]
                .concat()
            };
            for piece in message.pieces([10; 4]) {
                peer.send([piece, between()].concat()).await?;
            }
            peer.send(message.content()).await?;
            expect_full(&peer, &message).await?;
            peer.alive().await
        },
    );
    section.case(
        "packet.continue",
        "the header of a response in pieces",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let call = Relay::default().send(&mut peer).await?;
            let response = Message::answer(call.id).payload("in pieces");
            peer.send([response.pieces([1, 15, 2, 8]).concat(), response.content()].concat())
                .await?;
            call.expect(&peer, &[Told::response(b"in pieces")]).await?;
            peer.alive().await
        },
    );
    section.case(
        "head.continue",
        "a piece of no header ends the connection",
        async |t: Trial| {
            t.peer()
                .await?
                .expect_end_after(packet::continued(b"piece"))
                .await
        },
    );
    section.case(
        "head.continue.ended",
        "a piece after the end of a header ends the connection",
        async |t: Trial| {
            let raw = Message::ask("raw").announced(10);
            let late = [raw.first(), packet::continued(b"piece")].concat();
            t.peer().await?.expect_end_after(late).await
        },
    );
    section.case(
        "limits.refuse",
        "257 pieces are accepted or refused, and the connection continues",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let long = (0..80).fold(Message::ask("unknown"), |message, _| {
                message.file("name", "")
            });
            let mut pieces = long.pieces([1; 256]);
            pieces.push(long.content());
            peer.send(pieces.concat()).await?;
            peer.expect_refusal(&long.id).await?;
            peer.alive().await
        },
    );
    section.case(
        "limits.refuse",
        "a header of over 64 KiB is accepted or refused, and the connection continues",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let name = "n".repeat(65);
            let large = (0..1000).fold(Message::ask("unknown"), |message, _| {
                message.file(&name, "")
            });
            ensure(
                large.head().len() > 64 * 1024,
                "the header is not large enough",
            )?;
            peer.send(large.bytes()).await?;
            peer.expect_refusal(&large.id).await?;
            peer.alive().await
        },
    );
    section.case(
        "M1",
        "a header that is never finished ends the connection after 15 s",
        async |t: Trial| {
            let limit = t.clock(15.0)?;
            let mut peer = t.peer().await?;
            peer.send(&full().pieces([20])[0]).await?;
            let has_ended = peer.keep_up(limit, |all| all.closed.is_some()).await?;
            t.recommended(
                has_ended,
                format!("the connection did not end within {limit:?}"),
            )
        },
    );
    section.case(
        "head.announce",
        "content of a file before the headers of later files",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let message = Message::ask("upload")
                .file("a", "first")
                .file("b", "second");
            // The second file's header: form, size, length of the name, name.
            let pieces = message.pieces([message.head().len() - 4]);
            let first = [packet::file(0, b"first"), packet::file_end(0)].concat();
            let second = [packet::file(1, b"second"), packet::file_end(1)].concat();
            peer.send(
                [&pieces[0], &first, &pieces[1], &second]
                    .map(|part| &part[..])
                    .concat(),
            )
            .await?;
            interop::expect_upload(&peer, &message.id, &[("a", b"first"), ("b", b"second")])
                .await?;
            peer.alive().await
        },
    );
    section
}

/// A message with all fields that a header can have.
fn full() -> Message {
    Message::ask("everything")
        .payload("payload")
        .file("a.txt", "file")
        .file("b", "")
}

async fn expect_full(peer: &Peer, message: &Message) -> Outcome {
    let response = peer.expect_response(&message.id).await?;
    let expected = interop::Everything {
        data: digest(b"payload"),
        files: vec![
            interop::file_digest("a.txt", b"file"),
            interop::file_digest("b", b""),
        ],
        stream: digest(b""),
    };
    equal("content received", interop::value_of(&response)?, expected)
}

async fn in_pieces<const N: usize>(t: Trial, sizes: [usize; N]) -> Outcome {
    let mut peer = t.peer().await?;
    let message = full();
    peer.send([message.pieces(sizes).concat(), message.content()].concat())
        .await?;
    expect_full(&peer, &message).await?;
    peer.alive().await
}
