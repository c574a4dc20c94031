//! 15: the end of a connection.

use std::time::Duration;

use super::prelude::*;
use crate::received::Closed;

pub fn section() -> Section {
    let mut section = Section::new(15, "Closing");
    section.case("F8", "an end between messages", async |t: Trial| {
        let mut peer = t.peer().await?;
        peer.ping().await?;
        peer.finish().await;
        peer.closed().await.map(drop)
    });
    section.case("F8", "an end inside a header", |t| {
        cut_after(t, Message::ask("raw").pieces([12])[0].clone())
    });
    section.case("F8", "an end inside a payload", |t| cut_after(t, inside()));
    section.case("N1", "a reset inside a message", async |t: Trial| {
        let mut peer = t.peer().await?;
        peer.ping().await?;
        peer.send(inside()).await?;
        peer.reset().await;
        Ok(())
    });
    section.case(
        "L1",
        "an end of the socket without a TLS close, between messages",
        |t| unclean(t, Vec::new()),
    );
    section.case(
        "L1",
        "an end of the socket without a TLS close, inside a message",
        |t| unclean(t, inside()),
    );
    section.case(
        "S5",
        "pending replies arrive after the peer has finished sending",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let messages: Vec<_> = (0..50)
                .map(|_| Message::ask("raw").payload("owed"))
                .collect();
            peer.send(messages.iter().flat_map(Message::bytes).collect::<Vec<_>>())
                .await?;
            peer.finish().await;
            let owed = async {
                for message in &messages {
                    ensure_same(&peer.expect_response(&message.id).await?.payload, b"owed")?;
                }
                Ok(())
            };
            t.recommend(owed.await)?;
            peer.closed_within(Duration::from_secs(12)).await.map(drop)
        },
    );
    section.case(
        "H2",
        "an end instead of a connection header, or inside one",
        async |t: Trial| {
            for begin in [&b""[..], &[0xE2], &[0xE2, 0]] {
                let mut peer = t.bare(256).await?;
                peer.send(begin).await?;
                peer.finish().await;
                peer.closed().await?;
            }
            Ok(())
        },
    );
    section.case(
        "R10",
        "a closing endpoint answers the messages that it has accepted",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let messages: Vec<_> = (0..200)
                .map(|_| Message::ask("raw").payload("accepted"))
                .collect();
            let all = messages.iter().flat_map(Message::bytes);
            let all: Vec<_> = all.chain(Message::tell("close").bytes()).collect();
            peer.send(all).await?;
            let how = peer.closed_within(Duration::from_secs(12)).await?;
            t.recommended(
                how == Closed::Cleanly,
                format!("the connection closed {how:?}"),
            )?;
            let answers = messages
                .iter()
                .filter(|message| peer.look(|all| all.replies_to(&message.id)) == 1);
            equal("answers", answers.count(), messages.len())
        },
    );
    section
}

/// The start of a message.
fn inside() -> Vec<u8> {
    [
        Message::ask("raw").announced(10).first(),
        packet::data(b"begun"),
    ]
    .concat()
}

/// The endpoint must close as well, and not answer as if the message were complete.
async fn cut_after(t: Trial, begin: Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    peer.send(begin).await?;
    peer.finish().await;
    peer.closed().await?;
    ensure(
        peer.look(|all| all.messages.is_empty()),
        "an incomplete message was answered",
    )
}

async fn unclean(t: Trial, begin: Vec<u8>) -> Outcome {
    if !t.settings.target.is_tls() {
        return skip("it applies to TLS only");
    }
    let mut peer = t.peer().await?;
    peer.ping().await?;
    peer.send(begin).await?;
    peer.cut();
    peer.closed().await?;
    ensure(
        peer.look(|all| all.messages.is_empty()),
        "an incomplete message was answered",
    )
}
