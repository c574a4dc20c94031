//! 14: channels, and when they become free.

use super::{prelude::*, switch_channel::two_channels};
use crate::received::Received;

pub fn section() -> Section {
    let mut section = Section::new(14, "Multiplexing");
    section.case(
        "content.busy",
        "a message on a channel that is not free ends the connection",
        async |t: Trial| {
            let open = Message::ask("raw").announced(5).first();
            t.peer()
                .await?
                .expect_end_after([open, Message::ask("ping").first()].concat())
                .await
        },
    );
    section.case(
        "content.end",
        "a channel is free at the end of a payload",
        |t| free_after(t, Message::ask("raw").payload("data").bytes()),
    );
    section.case(
        "content.end",
        "a channel is free at the end of the last file",
        |t| {
            free_after(
                t,
                Message::ask("upload")
                    .file("a", "abc")
                    .file("b", "")
                    .bytes(),
            )
        },
    );
    section.case(
        "content.end",
        "a channel is free at the end of a stream",
        |t| {
            free_after(
                t,
                [
                    Message::ask("stream-sum").stream().first(),
                    packet::STREAM_END.to_vec(),
                ]
                .concat(),
            )
        },
    );
    section.case(
        "content.end",
        "a message without content leaves its channel free",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let pings: Vec<_> = (0..100).map(|_| Message::ask("ping")).collect();
            peer.send(pings.iter().flat_map(Message::bytes).collect::<Vec<_>>())
                .await?;
            for ping in &pings {
                peer.expect_code(&ping.id, 0).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "content.mixed",
        "256 messages at once, each on its own channel",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            // The last channel is left for the ping at the end.
            let channels = 0..peer.last_channel().min(256);
            let messages: Vec<_> = channels
                .map(|channel| (channel, Message::ask("stream-sum").stream()))
                .collect();
            for (channel, message) in &messages {
                peer.send([packet::switch(*channel), message.first()].concat())
                    .await?;
            }
            for (channel, _) in &messages {
                peer.send(
                    [
                        packet::switch(*channel),
                        packet::stream(&channel.to_le_bytes()),
                    ]
                    .concat(),
                )
                .await?;
            }
            for (channel, _) in messages.iter().rev() {
                peer.send([packet::switch(*channel), packet::STREAM_END.to_vec()].concat())
                    .await?;
            }
            for (channel, message) in &messages {
                interop::expect_sum(&peer, &message.id, &channel.to_le_bytes()).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "content.mixed",
        "a large answer does not block a small one",
        async |t: Trial| {
            const LARGE: u64 = 12 << 20;
            let mut peer = t.peer().await?;
            let download = interop::download(&[("large", LARGE)]);
            peer.send(download.bytes()).await?;
            peer.until("the start of the download", |all| {
                all.response_to(&download.id).map(drop)
            })
            .await?;
            let ping = Message::ask("ping");
            peer.send(ping.bytes()).await?;
            peer.expect_code(&ping.id, 0).await?;
            let at = peer.look(|all| all.codes.last().map_or(u64::MAX, |code| code.at));
            t.recommended(
                at < LARGE,
                "the small answer arrived after all of the large one",
            )?;
            // This side is silent for long, and must not seem dead.
            let is_whole = |all: &Received| {
                all.response_to(&download.id)
                    .is_some_and(|each| each.is_whole)
            };
            peer.keep_up(t.settings.timeout * 4, is_whole).await?;
            let response = peer.expect_response(&download.id).await?;
            ensure_same(&response.files[0].content, &content(LARGE as usize))?;
            peer.alive().await
        },
    );
    section.case(
        "content.end",
        "a channel is used repeatedly",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            peer.send(packet::switch(1)).await?;
            for _ in 0..30 {
                peer.expect_echo(&Message::ask("raw").payload("again"), b"again")
                    .await?;
                let upload = Message::ask("upload").file("f", "abc");
                peer.send(upload.bytes()).await?;
                interop::expect_upload(&peer, &upload.id, &[("f", b"abc")]).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "header.count",
        "an offer of 4,096 channels is accepted",
        async |t: Trial| {
            let mut peer = t.peer_with(4096).await?;
            let downloads: Vec<_> = (0..100)
                .map(|_| interop::download(&[("file", 10_000)]))
                .collect();
            peer.send(
                downloads
                    .iter()
                    .flat_map(Message::bytes)
                    .collect::<Vec<_>>(),
            )
            .await?;
            for download in &downloads {
                let response = peer.expect_response(&download.id).await?;
                ensure_same(&response.files[0].content, &content(10_000))?;
            }
            peer.alive().await
        },
    );
    section.case(
        "M13",
        "two open requests with the same id are both answered",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let message = Message::ask("stream-sum").stream();
            peer.allow(message.id, 2);
            peer.send([message.first(), packet::switch(1), message.first()].concat())
                .await?;
            peer.send(
                [
                    packet::STREAM_END.to_vec(),
                    packet::switch(0),
                    packet::STREAM_END.to_vec(),
                ]
                .concat(),
            )
            .await?;
            let id = message.id;
            let both = peer.until("both answers", |all| {
                (all.replies_to(&id) == 2).then_some(())
            });
            t.recommend(both.await)
        },
    );
    section
}

/// A ping right after a message, in one segment.
async fn free_after(t: Trial, message: Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    let ping = Message::ask("ping");
    peer.send([message, ping.bytes()].concat()).await?;
    peer.expect_code(&ping.id, 0).await?;
    peer.alive().await
}
