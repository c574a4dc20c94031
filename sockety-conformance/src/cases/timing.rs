//! 16: slow and silent peers. These cases take as long as the endpoint's timeouts.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(16, "Timing");
    section.case(
        "S1",
        "a header byte by byte ends the connection after 15 s",
        async |t: Trial| {
            let limit = t.clock(15.0)?;
            let mut peer = t.peer().await?;
            let slow = Message::ask("x".repeat(60_000)).head();
            let first = packet::sized(0x21, &slow[..30]);
            peer.send(first).await?;
            let end = Instant::now() + limit;
            for byte in &slow[30..] {
                peer.send(packet::continued(&[*byte])).await?;
                if peer.closed_within(Duration::from_millis(300)).await.is_ok() {
                    return Ok(());
                }
                if Instant::now() > end {
                    break;
                }
            }
            t.recommended(
                false,
                format!("the connection did not end within {limit:?}"),
            )
        },
    );
    section.case(
        "S2",
        "a stalled payload is abandoned after 60 s, and the connection continues",
        async |t: Trial| {
            let limit = t.clock(60.0)?;
            let mut peer = t.peer().await?;
            let message = Message::ask("raw").announced(10);
            peer.send([message.first(), packet::data(b"half")].concat())
                .await?;
            // Only the payload is late.
            peer.keep_up(limit, |all| all.code_of(&message.id).is_some())
                .await?;
            let code = peer.look(|all| all.code_of(&message.id));
            t.recommended(
                code.is_some_and(|code| code != 0),
                format!("its sender was not informed within {limit:?}"),
            )?;
            peer.alive().await
        },
    );
    section.case(
        "R8",
        "a peer that never reads its replies is disconnected",
        async |t: Trial| {
            let limit = t.clock(30.0)?;
            let mut peer = t.peer().await?;
            peer.pause();
            let requests: Vec<_> = (0..500)
                .flat_map(|_| Message::ask("raw").payload(content(16_000)).bytes())
                .collect();
            let end = Instant::now() + limit;
            while Instant::now() < end && peer.send_for(end - Instant::now(), &requests).await {}
            peer.resume();
            let closed = peer.closed().await;
            t.recommend(closed.map(drop))
        },
    );
    section.case(
        "S3",
        "an answer that is never read ends the connection after 30 s",
        async |t: Trial| {
            let limit = t.clock(30.0)?;
            let mut peer = t.peer().await?;
            peer.pause();
            let size = 64 << 20;
            peer.send(interop::download(&[("large", size)]).bytes())
                .await?;
            sleep(limit).await;
            peer.resume();
            let closed = peer.closed().await;
            t.recommend(closed.map(drop))?;
            ensure(peer.look(|all| all.bytes) < size, "all of it was sent")
        },
    );
    section.case(
        "S8",
        "a stalled peer is disconnected after 90 s",
        async |t: Trial| {
            let limit = t.clock(90.0)?;
            let mut peer = t.peer().await?;
            let stream = Message::ask("stream-sum").stream();
            peer.send([stream.first(), packet::stream(b"begun")].concat())
                .await?;
            // The endpoint cannot see that nothing is read: the operating system buffers what
            // little it sends.
            t.recommend(peer.closed_within(limit).await.map(drop))
        },
    );
    section.case(
        "S4",
        "a silent peer is disconnected after 90 s",
        async |t: Trial| {
            let limit = t.clock(90.0)?;
            let mut peer = t.peer().await?;
            peer.ping().await?;
            t.recommend(peer.closed_within(limit).await.map(drop))
        },
    );
    section
}
