//! 2: connection header.

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(2, "Connection header");
    let forms: [(&str, &'static [u8], u16); 6] = [
        ("E0 is one channel: the endpoint never switches", &[0xE0], 1),
        ("E1 01 is one channel", &[0xE1, 1], 1),
        ("E1 FF is 255 channels", &[0xE1, 0xFF], 255),
        ("E2 00 01 is 256 channels", &[0xE2, 0, 1], 256),
        ("E2 00 10 is 4,096 channels", &[0xE2, 0, 0x10], 4096),
        ("E3 is 4,096 channels", &[0xE3], 4096),
    ];
    for (title, header, channels) in forms {
        section.case("header.form", title, move |t| accepted(t, header, channels));
    }
    section.case("header.count.range", "E2 FF FF ends the connection", |t| {
        refused(t, &[0xE2, 0xFF, 0xFF])
    });
    section.case("header.count.wrapped", "E1 00 is 256 channels", |t| {
        accepted(t, &[0xE1, 0], 256)
    });
    section.case(
        "header.form",
        "any other first byte ends the connection",
        |t| refused(t, b"GET "),
    );
    section.case(
        "header.reserved",
        "bit 2 of the first byte is ignored",
        |t| accepted(t, &[0xE6, 0, 1], 256),
    );
    section.case(
        "header.reserved",
        "bit 3 of the first byte is ignored",
        |t| accepted(t, &[0xEA, 0, 1], 256),
    );
    section.case(
        "header.form",
        "a header in three segments",
        async |t: Trial| {
            let mut peer = t.bare(256).await?;
            peer.send_each([[0xE2], [0], [1]]).await?;
            works(&mut peer).await
        },
    );
    section.case(
        "header.first",
        "a header and the first message in one segment",
        async |t: Trial| {
            let mut peer = t.bare(256).await?;
            peer.header().await?;
            let ping = Message::ask("ping");
            peer.send([packet::header(256), ping.bytes()].concat())
                .await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "header.immediate",
        "the endpoint does not wait for the peer's header",
        async |t: Trial| {
            let mut peer = t.bare(256).await?;
            peer.header().await?;
            equal(
                "bytes before the peer's header",
                peer.look(|all| all.bytes <= 3),
                true,
            )?;
            peer.send(packet::header(256)).await?;
            peer.alive().await
        },
    );
    section.case(
        "H2",
        "a silent peer is disconnected after 10 s",
        async |t: Trial| {
            let limit = t.clock(10.0)?;
            let peer = t.bare(256).await?;
            t.recommend(peer.closed_within(limit).await.map(drop))
        },
    );
    section.case(
        "header.count",
        "no channel beyond the announced number is used under load",
        async |t: Trial| {
            for channels in [1, 2, 16, 255] {
                load(&t, channels).await?;
            }
            Ok(())
        },
    );
    section
}

async fn accepted(t: Trial, header: &'static [u8], channels: u16) -> Outcome {
    let mut peer = t.bare(channels).await?;
    peer.send(header).await?;
    works(&mut peer).await
}

async fn refused(t: Trial, header: &'static [u8]) -> Outcome {
    let mut peer = t.bare(256).await?;
    peer.expect_end_after(header).await
}

/// Three concurrent replies have to share the channels.
async fn works(peer: &mut Peer) -> Outcome {
    peer.header().await?;
    let downloads: Vec<_> = (0..3)
        .map(|_| interop::download(&[("a", 20_000), ("b", 5)]))
        .collect();
    for download in &downloads {
        peer.send(download.bytes()).await?;
    }
    for download in &downloads {
        let response = peer.expect_response(&download.id).await?;
        ensure_same(&response.files[0].content, &content(20_000))?;
    }
    peer.alive().await
}

async fn load(t: &Trial, channels: u16) -> Outcome {
    let mut peer = t.peer_with(channels).await?;
    let downloads: Vec<_> = (0..300)
        .map(|_| interop::download(&[("file", 1000)]))
        .collect();
    peer.send(
        downloads
            .iter()
            .flat_map(Message::bytes)
            .collect::<Vec<_>>(),
    )
    .await?;
    let mut served = 0;
    for download in &downloads {
        // An endpoint may refuse some if there are too many at once.
        if let Reply::Response(response) = peer.reply(&download.id).await? {
            ensure_same(&response.files[0].content, &content(1000))?;
            served += 1;
        }
    }
    ensure(
        served >= 100,
        format!("only {served} of 300 downloads were served"),
    )?;
    peer.alive().await
}
