//! 11: File and File End.

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(11, "File, File End");
    for (form, width) in ["no byte", "one byte", "two bytes", "three bytes"]
        .iter()
        .enumerate()
    {
        section.case(
            "packet.file.index",
            format!("index 0 in {width}"),
            move |t| {
                one(
                    t,
                    packet::file_as(0, form, 0, b"abc"),
                    packet::file_end_as(form, 0),
                )
            },
        );
    }
    for (form, width) in ["one byte", "two bytes", "three bytes", "four bytes"]
        .iter()
        .enumerate()
    {
        let rule = if form == 3 {
            "packet.file.wide"
        } else {
            "packet.file"
        };
        section.case(rule, format!("a size of {width}"), move |t| {
            one(t, packet::file_as(form, 0, 0, b"abc"), packet::file_end(0))
        });
    }
    section.case("content.mixed", "two files, packet by packet", |t| {
        let both = |a, b| [packet::file(0, a), packet::file(1, b)].concat();
        two(
            t,
            [
                both(b"fi", b"se"),
                both(b"rst", b"cond"),
                packet::file_end(0),
                packet::file_end(1),
            ]
            .concat(),
        )
    });
    section.case("content.mixed", "files in reverse order", |t| {
        let file =
            |index, content| [packet::file(index, content), packet::file_end(index)].concat();
        two(t, [file(1, b"second"), file(0, b"first")].concat())
    });
    section.case(
        "content.file.size",
        "a file with more bytes than announced is refused",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let message = Message::ask("upload").announced_file("f", 3);
            peer.send(
                [
                    message.first(),
                    packet::file(0, b"abcde"),
                    packet::file_end(0),
                ]
                .concat(),
            )
            .await?;
            peer.expect_refusal(&message.id).await?;
            peer.alive().await
        },
    );
    section.case(
        "content.file.ends",
        "a file with fewer bytes than announced does not count as complete",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let message = Message::ask("upload").announced_file("f", 3);
            peer.send([message.first(), packet::file(0, b"ab"), packet::file_end(0)].concat())
                .await?;
            match peer.reply(&message.id).await? {
                Reply::Code(code) => ensure(code != 0, "it was accepted")?,
                Reply::Response(response) => {
                    let found: Vec<interop::FileDigest> = interop::value_of(&response)?;
                    equal("files", found, vec![interop::file_digest("f", b"ab")])?;
                    t.recommended(
                        false,
                        "the endpoint did not notice that the file is too short",
                    )?;
                }
            }
            peer.alive().await
        },
    );
    section.case(
        "content.file.once",
        "a file that ends twice ends the connection",
        |t| breaks(t, [packet::file_end(0), packet::file_end(0)].concat()),
    );
    section.case(
        "content.file.index",
        "content of a file that was not announced ends the connection",
        |t| breaks(t, packet::file(7, b"x")),
    );
    section.case(
        "content.file.index",
        "the end of a file that was not announced ends the connection",
        |t| breaks(t, packet::file_end(7)),
    );
    section.case(
        "content.file.header",
        "content of a file before its header ends the connection",
        async |t: Trial| {
            let message = Message::ask("upload")
                .file("a", "first")
                .file("b", "second");
            let pieces = message.pieces([message.head().len() - 4]);
            let early = [pieces[0].clone(), packet::file(1, b"second")].concat();
            t.peer().await?.expect_end_after(early).await
        },
    );
    section.case(
        "content.file.once",
        "content of a file after its end ends the connection",
        |t| breaks(t, [packet::file_end(0), packet::file(0, b"x")].concat()),
    );
    section.case("packet.empty.read", "an empty packet has no effect", |t| {
        let empty = packet::file(0, b"");
        one(
            t,
            [&empty, &packet::file(0, b"abc"), &empty]
                .map(|part| &part[..])
                .concat(),
            packet::file_end(0),
        )
    });
    section
}

async fn one(t: Trial, file: Vec<u8>, end: Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    let message = Message::ask("upload").announced_file("f", 3);
    peer.send([message.first(), file, end].concat()).await?;
    interop::expect_upload(&peer, &message.id, &[("f", b"abc")]).await?;
    peer.alive().await
}

async fn two(t: Trial, files: Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    let message = Message::ask("upload")
        .announced_file("a", 5)
        .announced_file("b", 6);
    peer.send([message.first(), files].concat()).await?;
    interop::expect_upload(&peer, &message.id, &[("a", b"first"), ("b", b"second")]).await?;
    peer.alive().await
}

/// Sends content of two files.
async fn breaks(t: Trial, packets: Vec<u8>) -> Outcome {
    let message = Message::ask("upload")
        .announced_file("a", 0)
        .announced_file("b", 6);
    let mut peer = t.peer().await?;
    peer.expect_end_after([message.first(), packets].concat())
        .await
}
