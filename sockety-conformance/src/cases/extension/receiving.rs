//! Credit and stops of an endpoint that receives content.

use super::*;

/// The least that a receiver grants to a reader that waits.
const LIFELINE: u64 = 4_096;

/// The endpoint's window of a message, and its limit of the connection at the beginning.
async fn bounds(peer: &Peer) -> Outcome<(usize, usize)> {
    let window = peer.setting(1, 262_144).await?;
    let connection = peer.setting(2, 8 << 20).await?;
    Ok((window as usize, connection as usize))
}

/// Fills the limit of the connection with messages that nobody reads, on the channels from 1 on.
/// Returns how many messages that were.
async fn fill(peer: &mut Peer) -> Outcome<u32> {
    let (window, connection) = bounds(peer).await?;
    let (mut left, mut count) = (connection, 0);
    while left > 0 {
        let piece = left.min(window);
        let script = [
            packet::switch(count + 1),
            long().stream().first(),
            packet::stream(&vec![7; piece]),
        ];
        peer.send(script.concat()).await?;
        left -= piece;
        count += 1;
    }
    Ok(count.into())
}

fn limit_of(entry: Entry) -> u64 {
    match entry {
        Entry::Credit { limit, .. } | Entry::Connection(limit) => limit,
        Entry::Read { .. } | Entry::Stop { .. } => 0,
    }
}

fn is_credit_for(number: u32, part: Part) -> impl Fn(&Entry) -> bool {
    move |entry| matches!(entry, Entry::Credit { number: n, part: p, .. } if (*n, *p) == (number, part))
}

/// Waits for credit for the stream of a message whose file, which nobody reads, has used the window.
/// Returns the limit of the stream.
async fn starved(peer: &Peer, number: u32) -> Outcome<usize> {
    let entry = peer
        .entry("credit for the stream", |entry| {
            is_credit_for(number, Part::Stream)(entry) || is_stop_of(number)(entry)
        })
        .await?;
    match entry {
        Entry::Stop { .. } => skip("the endpoint stops files that nobody reads"),
        entry => Ok(limit_of(entry) as usize),
    }
}

fn is_stop_of(number: u32) -> impl Fn(&Entry) -> bool {
    move |entry| matches!(entry, Entry::Stop { number: n, .. } if *n == number)
}

pub(super) fn cases(section: &mut Section) {
    section.case(
        "ext.credit.message",
        "content up to the last byte of the window",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let content = vec![1; window];
            peer.send([long().stream().first(), packet::stream(&content)].concat())
                .await?;
            peer.alive().await?;
            // Nobody reads it, so there is no credit.
            let credit = peer.look(|all| all.flow.iter().any(is_credit_for(0, Part::Stream)));
            ensure(!credit, "there is credit for a stream that nobody reads")
        },
    );
    section.case(
        "ext.credit.message",
        "one byte more than the window ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            peer.send([long().stream().first(), packet::stream(&vec![1; window])].concat())
                .await?;
            peer.alive().await?;
            let last = [packet::switch(0), packet::stream(&[1])].concat();
            peer.expect_end_after(last).await
        },
    );
    section.case(
        "ext.credit.message",
        "the files and the stream of a message share one window",
        async |t: Trial| {
            for last in [packet::stream(&[1]), packet::file(1, &[1])] {
                let mut peer = t.extended().await?;
                let (window, _) = bounds(&peer).await?;
                let half = window as u64 / 2;
                let held = long()
                    .stream()
                    .announced_file("a", half)
                    .announced_file("b", half);
                let script = [
                    held.first(),
                    packet::file(0, &vec![1; window / 2]),
                    packet::stream(&vec![2; window - window / 2]),
                ];
                peer.send(script.concat()).await?;
                peer.alive().await?;
                peer.expect_end_after([packet::switch(0), last].concat())
                    .await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.credit.what",
        "a payload needs no credit",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let payload = content(window + 1);
            peer.expect_echo(&Message::ask("raw").payload(&payload), &payload)
                .await
        },
    );
    section.case(
        "ext.credit.enough",
        "a file as large as the window is received without credit for it",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let content = content(window);
            let upload = Message::ask("upload").file("a", &content);
            peer.send(upload.bytes()).await?;
            interop::expect_upload(&peer, &upload.id, &[("a", &content)]).await?;
            peer.alive().await?;
            let credit = peer.look(|all| all.flow.iter().any(is_credit_for(0, Part::File(0))));
            ensure(!credit, "there is credit although all bytes had it")
        },
    );
    section.case(
        "ext.credit.when",
        "credit comes when half of the window was taken",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let sum = Message::ask("stream-sum").stream();
            let half = content(window / 2);
            peer.send([sum.first(), packet::stream(&half)].concat())
                .await?;
            let credit = peer
                .entry("credit for the stream", is_credit_for(0, Part::Stream))
                .await?;
            let limit = limit_of(credit);
            ensure(
                limit >= window as u64 / 2,
                format!(
                    "the limit is {limit}, though {} bytes were taken",
                    window / 2
                ),
            )?;
            peer.send(packet::STREAM_END).await?;
            interop::expect_sum(&peer, &sum.id, &half).await
        },
    );
    section.case(
        "ext.credit.when",
        "a stream of four windows is received as far as credit allows",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let sum = Message::ask("stream-sum").stream();
            let all = content(4 * window);
            peer.send(sum.first()).await?;
            let (mut sent, mut limit) = (0, 0);
            while sent < all.len() {
                let to = all.len().min(limit + window);
                peer.send(packet::stream(&all[sent..to])).await?;
                sent = to;
                if sent < all.len() {
                    let is_more = is_credit_for(0, Part::Stream);
                    let more = peer
                        .entry("more credit", |entry| {
                            is_more(entry) && limit_of(*entry) > limit as u64
                        })
                        .await?;
                    limit = limit_of(more) as usize;
                }
            }
            peer.send(packet::STREAM_END).await?;
            interop::expect_sum(&peer, &sum.id, &all).await
        },
    );
    section.case(
        "ext.credit.check",
        "one byte more than limit and window ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            // Nobody reads its file, which uses up the window.
            let sum = Message::ask("stream-sum")
                .announced_file("unread", 10 * window as u64)
                .stream();
            peer.send([sum.first(), packet::file(0, &vec![1; window])].concat())
                .await?;
            let limit = starved(&peer, 0).await?;
            peer.send(packet::stream(&vec![1; limit])).await?;
            peer.alive().await?;
            let last = [packet::switch(0), packet::file(0, &[1])];
            peer.expect_end_after(last.concat()).await
        },
    );
    section.case(
        "ext.credit.starved",
        "the reader of a stream gets credit though a file that nobody reads has used the window",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let unread = vec![1; window];
            let sum = Message::ask("stream-sum").file("unread", &unread).stream();
            peer.send([sum.first(), packet::file(0, &unread)].concat())
                .await?;
            let limit = starved(&peer, 0).await?;
            ensure(
                limit >= LIFELINE as usize,
                format!("the limit is only {limit}"),
            )?;
            let all = content(limit);
            let script = [
                packet::stream(&all),
                packet::STREAM_END.to_vec(),
                packet::file_end(0),
            ];
            peer.send(script.concat()).await?;
            interop::expect_sum(&peer, &sum.id, &all).await
        },
    );
    section.case(
        "ext.credit.connection",
        "content up to the last byte of the connection's limit",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            fill(&mut peer).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.credit.connection",
        "one byte more than the connection's limit ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            fill(&mut peer).await?;
            peer.alive().await?;
            let last = [
                packet::switch(0),
                long().stream().first(),
                packet::stream(&[1]),
            ];
            peer.expect_end_after(last.concat()).await
        },
    );
    section.case(
        "ext.credit.lifeline",
        "a reader that waits gets credit though the connection's limit is used up",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let number = fill(&mut peer).await?;
            let sum = Message::ask("stream-sum").stream();
            peer.send([packet::switch(0), sum.first()].concat()).await?;
            let all = content(2 * LIFELINE as usize);
            for sent in [0, LIFELINE as usize] {
                let is_more = is_credit_for(number, Part::Stream);
                peer.entry("credit for the stream", |entry| {
                    is_more(entry) && limit_of(*entry) >= sent as u64 + LIFELINE
                        || matches!(entry, Entry::Connection(_))
                })
                .await?;
                let piece = &all[sent..sent + LIFELINE as usize];
                peer.send(packet::stream(piece)).await?;
            }
            peer.send(packet::STREAM_END).await?;
            interop::expect_sum(&peer, &sum.id, &all).await
        },
    );
    section.case(
        "ext.credit.connection",
        "a byte of another part than that with the lifeline ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let number = fill(&mut peer).await?;
            let sum = Message::ask("stream-sum")
                .announced_file("unread", 10)
                .stream();
            peer.send([packet::switch(0), sum.first()].concat()).await?;
            let credit = peer
                .entry("credit for the stream", |entry| {
                    is_credit_for(number, Part::Stream)(entry)
                        || matches!(entry, Entry::Connection(_))
                })
                .await?;
            if let Entry::Connection(_) = credit {
                return skip("the endpoint raised the limit of the connection instead");
            }
            peer.send(packet::stream(&[1; 100])).await?;
            peer.alive().await?;
            let last = [packet::switch(0), packet::file(0, &[1])];
            peer.expect_end_after(last.concat()).await
        },
    );
    section.case(
        "ext.credit.when",
        "the connection's limit grows with what readers have taken",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, connection) = bounds(&peer).await?;
            let part = content(window.min(connection / 4));
            for _ in 0..=connection.div_ceil(4 * part.len()) {
                let upload = Message::ask("upload").file("a", &part);
                peer.send(upload.bytes()).await?;
                interop::expect_upload(&peer, &upload.id, &[("a", &part)]).await?;
            }
            let limit = limit_of(
                peer.entry("credit for the connection", |entry| {
                    matches!(entry, Entry::Connection(_))
                })
                .await?,
            );
            ensure(
                limit > connection as u64,
                format!("the limit {limit} is none above {connection}"),
            )
        },
    );
    section.case(
        "ext.credit.connection",
        "more content than the connection's limit in many messages that are read",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, connection) = bounds(&peer).await?;
            let part = content(window);
            let (mut sent, mut limit) = (0, connection as u64);
            while sent <= (connection + window) as u64 {
                let next = sent + window as u64;
                if next > limit {
                    let more = peer
                        .entry(
                            "credit for the connection",
                            |entry| matches!(entry, Entry::Connection(more) if *more >= next),
                        )
                        .await?;
                    limit = limit_of(more);
                }
                let upload = Message::ask("upload").file("a", &part);
                peer.send(upload.bytes()).await?;
                interop::expect_upload(&peer, &upload.id, &[("a", &part)]).await?;
                sent = next;
            }
            peer.alive().await
        },
    );
    section.case(
        "ext.stop.when",
        "a stream that nobody reads any more is stopped, and what still comes is dropped",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let ping = Message::ask("ping").stream();
            peer.send([ping.first(), packet::stream(b"unread")].concat())
                .await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.entry("a stop of the stream", is_stop_of(0)).await?;
            // What was on its way when the stop was written is dropped, and not counted.
            peer.send(packet::stream(&vec![1; window])).await?;
            peer.send([packet::stream(b"more"), packet::STREAM_END.to_vec()].concat())
                .await?;
            peer.ping().await
        },
    );
    section.case(
        "ext.stop.when",
        "a message that is refused is stopped, and may be aborted",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, _) = bounds(&peer).await?;
            let unknown = Message::ask("no-such-action")
                .announced_file("a", 100 * window as u64)
                .stream();
            peer.send([unknown.first(), packet::file(0, &vec![1; window])].concat())
                .await?;
            peer.expect_code(&unknown.id, NOT_IMPLEMENTED).await?;
            peer.until("a stop of the message or of its parts", |all| {
                let stops = |part| all.flow.contains(&Entry::Stop { number: 0, part });
                let parts = stops(Some(Part::Stream)) && stops(Some(Part::File(0)));
                (stops(None) || parts).then_some(())
            })
            .await?;
            peer.send(packet::file(0, &vec![1; 2 * window])).await?;
            peer.send(packet::ABORT).await?;
            peer.ping().await
        },
    );
    section.case(
        "ext.stop.once",
        "no part is stopped twice",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let ping = Message::ask("ping").stream();
            peer.send(ping.first()).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.entry("a stop of the stream", is_stop_of(0)).await?;
            for _ in 0..20 {
                peer.send([packet::switch(0), packet::stream(&[1; 20_000])].concat())
                    .await?;
            }
            peer.send(packet::STREAM_END).await?;
            peer.alive().await?;
            let stops = peer.look(|all| all.flow.iter().filter(|e| is_stop_of(0)(e)).count());
            equal("number of stops", stops, 1)
        },
    );
    section.case(
        "ext.credit.dropped",
        "content that is dropped raises the connection's limit",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, connection) = bounds(&peer).await?;
            let part = vec![1; window];
            for _ in 0..=connection.div_ceil(2 * window) {
                let ping = Message::ask("ping").stream();
                let script = [
                    ping.first(),
                    packet::stream(&part),
                    packet::STREAM_END.to_vec(),
                ];
                peer.send(script.concat()).await?;
                peer.expect_code(&ping.id, 0).await?;
            }
            peer.entry("credit for the connection", |entry| {
                matches!(entry, Entry::Connection(_))
            })
            .await
            .map(drop)
        },
    );
    section.case(
        "ext.credit.dropped",
        "content of aborted messages does not use up the connection's limit",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (window, connection) = bounds(&peer).await?;
            let part = vec![1; window];
            let (mut sent, mut limit) = (0, connection as u64);
            while sent <= (connection + window) as u64 {
                let next = sent + window as u64;
                if next > limit {
                    let more = peer
                        .entry(
                            "credit for the connection",
                            |entry| matches!(entry, Entry::Connection(more) if *more >= next),
                        )
                        .await?;
                    limit = limit_of(more);
                }
                let lost = Message::tell("hold").stream();
                let script = [lost.first(), packet::stream(&part), packet::ABORT.to_vec()];
                peer.send(script.concat()).await?;
                peer.ping().await?;
                sent = next;
            }
            peer.alive().await
        },
    );
}
