//! 3: Switch Channel.

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(3, "Switch channel");
    section.case(
        "packet.switch.low",
        "channels 0 to 15 in the short form",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            for channel in 0..peer.channels().min(16) {
                on(&mut peer, packet::switch(channel)).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "packet.switch.long",
        "channel 16 in the long form",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            if peer.channels() < 17 {
                return skip("the endpoint has no channel 16");
            }
            on(&mut peer, packet::switch(16)).await?;
            peer.alive().await
        },
    );
    section.case(
        "packet.switch.long",
        "the highest channel that the endpoint has, up to 4,095",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let last = peer.last_channel();
            on(&mut peer, packet::switch_long(last)).await?;
            peer.alive().await
        },
    );
    section.case(
        "packet.switch.long",
        "a low channel in the long form",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            for channel in 0..peer.channels().min(16) {
                on(&mut peer, packet::switch_long(channel)).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "packet.switch.initial",
        "channel 0 is current at the start",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let raw = Message::ask("raw").announced(4);
            peer.send(raw.first()).await?;
            on(&mut peer, packet::switch(1)).await?;
            peer.send([packet::switch(0), packet::data(b"back")].concat())
                .await?;
            ensure_same(&peer.expect_response(&raw.id).await?.payload, b"back")?;
            peer.alive().await
        },
    );
    section.case(
        "packet.switch.low",
        "a channel stays current across messages",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            peer.send(packet::switch(1)).await?;
            peer.ping().await?;
            let raw = Message::ask("raw").announced(4);
            peer.send(raw.first()).await?;
            on(&mut peer, packet::switch(0)).await?;
            peer.send([packet::switch(1), packet::data(b"stay")].concat())
                .await?;
            ensure_same(&peer.expect_response(&raw.id).await?.payload, b"stay")?;
            peer.ping().await?;
            peer.alive().await
        },
    );
    section.case(
        "content.mixed",
        "a switch in the middle of another channel's message",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let (one, two) = (
                Message::ask("raw").announced(6),
                Message::ask("raw").announced(6),
            );
            peer.send(one.first()).await?;
            peer.send([packet::data(b"one"), packet::switch(1), two.first()].concat())
                .await?;
            peer.send(
                [
                    packet::data(b"two"),
                    packet::switch(0),
                    packet::data(b"one"),
                ]
                .concat(),
            )
            .await?;
            peer.send([packet::switch(1), packet::data(b"two")].concat())
                .await?;
            ensure_same(&peer.expect_response(&one.id).await?.payload, b"oneone")?;
            ensure_same(&peer.expect_response(&two.id).await?.payload, b"twotwo")?;
            peer.alive().await
        },
    );
    section.case(
        "packet.switch.needless",
        "repeated and needless switches",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            for switches in [[0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]] {
                on(&mut peer, switches.map(packet::switch).concat()).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "packet.switch.range",
        "a channel that does not exist ends the connection",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            match peer.channels() {
                4096 => skip("the endpoint has all 4,096 channels"),
                channels => peer.expect_end_after(packet::switch(channels)).await,
            }
        },
    );
    section.case(
        "packet.switch.initial",
        "each direction has its own channels",
        async |t: Trial| {
            let mut peer = t.peer_with(1).await?;
            let last = peer.last_channel();
            peer.send(packet::switch(last)).await?;
            let download = interop::download(&[("file", 100)]);
            let response = peer.response(&download).await?;
            ensure_same(&response.files[0].content, &content(100))?;
            peer.alive().await
        },
    );
    section
}

/// Sends this switch, and pings on that channel.
async fn on(peer: &mut Peer, switches: Vec<u8>) -> Outcome {
    peer.send(switches).await?;
    peer.ping().await
}

/// A peer if the endpoint has more than one channel.
pub async fn two_channels(t: &Trial) -> Outcome<Peer> {
    let peer = t.peer().await?;
    match peer.channels() {
        1 => skip("the endpoint has one channel"),
        _ => Ok(peer),
    }
}
