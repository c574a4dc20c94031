//! 4: Heartbeat and Go Away.

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(4, "Heartbeat, Go Away");
    section.case(
        "packet.heartbeat",
        "a heartbeat on an idle connection",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            peer.send(packet::HEARTBEAT).await?;
            peer.alive().await
        },
    );
    section.case(
        "packet.channelless",
        "a heartbeat between the pieces of a header",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let ping = Message::ask("ping");
            let pieces = ping.pieces([5, 10]);
            peer.send(pieces.join(&packet::HEARTBEAT[..])).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "packet.channelless",
        "a heartbeat between Data packets",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let raw = Message::ask("raw").announced(4);
            let halves = [packet::data(b"he"), packet::data(b"at")];
            peer.send([raw.first(), halves.join(&packet::HEARTBEAT[..])].concat())
                .await?;
            ensure_same(&peer.expect_response(&raw.id).await?.payload, b"heat")?;
            peer.alive().await
        },
    );
    section.case(
        "packet.heartbeat",
        "a heartbeat is not answered",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            peer.send([0xA0; 20]).await?;
            peer.alive().await?;
            ensure(
                peer.look(|all| all.heartbeats) < 20,
                "heartbeats were answered by heartbeats",
            )
        },
    );
    section.case(
        "S4",
        "the endpoint sends a heartbeat after at most 25 s without sending",
        async |t: Trial| {
            let limit = t.clock(25.0)?;
            let mut peer = t.peer().await?;
            let quiet = peer.keep_up(limit, |all| all.heartbeats > 0).await?;
            t.recommended(quiet, format!("no heartbeat arrived within {limit:?}"))?;
            peer.alive().await
        },
    );
    section.case(
        "packet.goaway",
        "what is in progress finishes after Go Away",
        |t| finishes(t, 1),
    );
    section.case("packet.goaway", "a second Go Away has no effect", |t| {
        finishes(t, 2)
    });
    section.case(
        "packet.goaway",
        "the endpoint sends Go Away before it closes",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            peer.send(Message::tell("close").bytes()).await?;
            peer.closed().await?;
            t.recommended(
                peer.look(|all| all.go_aways > 0),
                "it closed without Go Away",
            )
        },
    );
    section.case(
        "F10",
        "1,000 heartbeats at once are accepted, or end the connection",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            peer.send([0xA0; 100]).await?;
            peer.alive().await?;
            peer.send([0xA0; 900]).await?;
            t.recommend(peer.closed().await.map(drop))
        },
    );
    section
}

async fn finishes(t: Trial, times: usize) -> Outcome {
    let mut peer = t.peer().await?;
    let sum = Message::ask("stream-sum").stream();
    peer.send([sum.first(), packet::stream(b"be")].concat())
        .await?;
    peer.send(packet::GO_AWAY.repeat(times)).await?;
    peer.send([packet::stream(b"fore"), packet::STREAM_END.to_vec()].concat())
        .await?;
    interop::expect_sum(&peer, &sum.id, b"before").await
}
