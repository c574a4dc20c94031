//! 1: numbers and text.

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(1, "Encoding");
    for (form, width) in [(1, "two"), (2, "three"), (3, "four")] {
        let title = format!("a size of {width} bytes has its least significant byte first");
        section.case("number.order", title, move |t| ping(t, form));
    }
    section.case(
        "head.payload",
        "a payload size of six bytes",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let raw = Message::ask("raw").payload("six").payload_form(3);
            peer.expect_echo(&raw, b"six").await?;
            peer.alive().await
        },
    );
    section.case(
        "head.files.total",
        "file sizes of six bytes",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let upload = Message::ask("upload")
                .file_as(Some(3), None, "f", 3, "abc")
                .total_form(3);
            peer.send(upload.bytes()).await?;
            interop::expect_upload(&peer, &upload.id, &[("f", b"abc")]).await?;
            peer.alive().await
        },
    );
    section.case(
        "packet.size.any",
        "sizes in larger forms than necessary",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let raw = Message::ask("raw")
                .announced(3)
                .payload_form(2)
                .packet_size(3)
                .long_action();
            peer.send([raw.first(), packet::data_as(3, b"abc")].concat())
                .await?;
            ensure_same(&peer.expect_response(&raw.id).await?.payload, b"abc")?;
            peer.alive().await
        },
    );
    section.case(
        "text.utf8",
        "an action with characters of four bytes",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let unknown = Message::ask("🦀🦀");
            peer.send(unknown.bytes()).await?;
            peer.expect_code(&unknown.id, NOT_IMPLEMENTED).await?;
            peer.alive().await
        },
    );
    section.case(
        "text.utf8",
        "an action that is not UTF-8 is refused, and the connection continues",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let broken = Message::ask(b"\xFF\xFE").payload("dropped");
            peer.send(broken.bytes()).await?;
            let code = peer.expect_refusal(&broken.id).await?;
            t.recommended(
                code != NOT_IMPLEMENTED,
                "code 2 means that the text was accepted unchanged",
            )?;
            peer.alive().await
        },
    );
    section
}

/// Sends a ping with that form of the packet's size.
async fn ping(t: Trial, form: usize) -> Outcome {
    let mut peer = t.peer().await?;
    let ping = Message::ask("ping").packet_size(form);
    peer.send(ping.bytes()).await?;
    peer.expect_code(&ping.id, 0).await?;
    peer.alive().await
}
