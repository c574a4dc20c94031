//! 9: Fast Reply.

use super::{prelude::*, switch_channel::two_channels};

pub fn section() -> Section {
    let mut section = Section::new(9, "Fast Reply");
    for (rule, code) in [
        ("packet.reply.low", 0),
        ("packet.reply.low", 15),
        ("packet.reply.long", 16),
        ("packet.reply.long", 4095),
    ] {
        section.case(rule, format!("code {code}"), move |t| {
            answered(t, code, move |id| packet::code(code, id))
        });
    }
    section.case("packet.reply.long", "a low code in the long form", |t| {
        answered(t, 3, |id| packet::code_long(3, id))
    });
    section.case(
        "R1",
        "a code for an unknown id is ignored",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            for _ in 0..20 {
                peer.send(packet::code(0, &fresh_id(true))).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "R1",
        "a code for a call that has ended is ignored",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let call = Relay::default().send(&mut peer).await?;
            peer.send(packet::code(5, &call.id)).await?;
            call.expect(&peer, &[Told::code(5)]).await?;
            peer.send(packet::code(6, &call.id)).await?;
            peer.alive().await
        },
    );
    section.case("R2", "the first of two codes for a call counts", |t| {
        answered(t, 5, |id| {
            [packet::code(5, id), packet::code(6, id)].concat()
        })
    });
    section.case(
        "R5",
        "a code before all of the request has arrived",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let relay = Relay {
                stream: Some(4 << 20),
                ..Relay::default()
            };
            let call = relay.send(&mut peer).await?;
            peer.send(packet::code(9, &call.id)).await?;
            call.expect(&peer, &[Told::code(9)]).await?;
            peer.alive().await
        },
    );
    section.case(
        "packet.channelless",
        "a code on any channel, including inside a message",
        async |t: Trial| {
            let mut peer = two_channels(&t).await?;
            let call = Relay::default().send(&mut peer).await?;
            let raw = Message::ask("raw").announced(6);
            peer.send([packet::switch(1), raw.first(), packet::data(b"mid")].concat())
                .await?;
            peer.send([packet::code(4, &call.id), packet::data(b"dle")].concat())
                .await?;
            call.expect(&peer, &[Told::code(4)]).await?;
            ensure_same(&peer.expect_response(&raw.id).await?.payload, b"middle")?;
            peer.alive().await
        },
    );
    section
}

/// Answers a message of the endpoint with a code, which the endpoint must report.
async fn answered(t: Trial, code: u16, answer: impl Fn(&[u8; 16]) -> Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    let call = Relay::default().send(&mut peer).await?;
    peer.send(answer(&call.id)).await?;
    call.expect(&peer, &[Told::code(code)]).await?;
    peer.alive().await
}
