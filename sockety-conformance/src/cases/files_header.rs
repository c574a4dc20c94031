//! 6: headers of files.

use super::prelude::*;

/// The largest number of six bytes.
const U48: u64 = (1 << 48) - 1;

pub fn section() -> Section {
    let mut section = Section::new(6, "Files header");
    for (form, width) in ["one byte", "two bytes", "three bytes", "six bytes"]
        .iter()
        .enumerate()
    {
        section.case("head.file", format!("a file size of {width}"), move |t| {
            let message = Message::ask("upload").file_as(Some(form), None, "f", 3, "abc");
            upload(t, message, vec![("f".into(), b"abc")])
        });
    }
    for (form, width) in ["one byte", "two bytes"].iter().enumerate() {
        section.case(
            "head.file",
            format!("a name whose length has {width}"),
            move |t| {
                let message =
                    Message::ask("upload").file_as(None, Some(form), "Grüße 🦀", 3, "abc");
                upload(t, message, vec![("Grüße 🦀".into(), b"abc")])
            },
        );
    }
    section.case("head.file", "an empty name", |t| {
        upload(
            t,
            Message::ask("upload").file("", "abc"),
            vec![(String::new(), b"abc")],
        )
    });
    section.case(
        "content.file.ends",
        "an empty file ends with File End as well",
        async |t: Trial| {
            let mut peer = super::switch_channel::two_channels(&t).await?;
            let message = Message::ask("upload").announced_file("empty", 0);
            peer.send([message.first(), packet::switch(1)].concat())
                .await?;
            peer.ping().await?;
            equal(
                "answers before the end of the file",
                peer.look(|all| all.replies_to(&message.id)),
                0,
            )?;
            peer.send([packet::switch(0), packet::file_end(0)].concat())
                .await?;
            interop::expect_upload(&peer, &message.id, &[("empty", b"")]).await?;
            peer.alive().await
        },
    );
    section.case("head.file.order", "1,024 files", |t| {
        let names: Vec<_> = (0..1024).map(|index| index.to_string()).collect();
        let message = names.iter().fold(Message::ask("upload"), |message, name| {
            message.file(name, "!")
        });
        upload(
            t,
            message,
            names.into_iter().map(|name| (name, &b"!"[..])).collect(),
        )
    });
    section.case(
        "limits.files",
        "1,025 files are accepted or refused, and the connection continues",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let message =
                (0..1025).fold(Message::ask("upload"), |message, _| message.file("f", "!"));
            peer.ask(&message).await?;
            peer.alive().await
        },
    );
    section.case(
        "head.files.sum",
        "a total that differs from the sum is refused",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            for total in [2, 4] {
                let message = Message::ask("upload").file("f", "abc").total(total);
                peer.send(message.bytes()).await?;
                peer.expect_refusal(&message.id).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "head.files.sum",
        "sums that overflow 48 or 64 bits are refused",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let wrapped = Message::ask("upload")
                .announced_file("a", U48)
                .announced_file("b", U48)
                .total(U48 - 1);
            peer.send([wrapped.first(), packet::file_end(0), packet::file_end(1)].concat())
                .await?;
            peer.expect_refusal(&wrapped.id).await?;
            peer.alive().await?;
            drop(peer);

            let mut peer = t.peer().await?;
            let many = (0..65_540).fold(Message::ask("upload"), |message, _| {
                message.announced_file("", U48)
            });
            let many = many.total(7);
            peer.send(many.first()).await?;
            // This exceeds the limits of most endpoints, so the connection may also end.
            let until = peer.until("a refusal", |all| all.code_of(&many.id)).await;
            match (until, peer.look(|all| all.closed.clone())) {
                (Ok(code), _) => ensure(code != 0, "it was accepted"),
                (Err(_), Some(_)) => Ok(()),
                (Err(stop), None) => Err(stop),
            }
        },
    );
    section
}

async fn upload(t: Trial, message: Message, files: Vec<(String, &'static [u8])>) -> Outcome {
    let mut peer = t.peer().await?;
    peer.send(message.bytes()).await?;
    let files: Vec<_> = files
        .iter()
        .map(|(name, content)| (&name[..], *content))
        .collect();
    interop::expect_upload(&peer, &message.id, &files).await?;
    peer.alive().await
}
