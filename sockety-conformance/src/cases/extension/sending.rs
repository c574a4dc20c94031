//! Credit and stops of an endpoint that sends content.

use super::*;
use std::time::Duration;

/// The smallest window of a message.
const WINDOW: u64 = 4_096;

/// The smallest limit of a connection.
const CONNECTION: u64 = 16_384;

/// Longer than an endpoint takes to send what it may.
const MOMENT: Duration = Duration::from_millis(200);

/// A peer with the smallest window that has asked for these files. The endpoint's response has number
/// 0.
async fn downloading(t: &Trial, files: &[(&str, u64)]) -> Outcome<(Peer, Message)> {
    let mut peer = t.extended_with(&[(1, WINDOW)]).await?;
    let download = interop::download(files);
    peer.send(download.bytes()).await?;
    Ok((peer, download))
}

/// Exactly these numbers of bytes must arrive of the files of a response.
async fn expect_files(peer: &mut Peer, download: &Message, sizes: &[u64]) -> Outcome {
    let what = format!("{sizes:?} bytes of the files");
    peer.part_of(&download.id, &what, |response| {
        let files = response.files.iter().zip(sizes);
        files.clone().count() == sizes.len()
            && files
                .into_iter()
                .all(|(file, size)| file.content.len() as u64 >= *size)
    })
    .await?;
    peer.ping().await?;
    tokio::time::sleep(MOMENT).await;
    let found = peer.look(|all| {
        all.response_to(&download.id).map(|response| {
            let files = response.files.iter();
            files
                .map(|file| file.content.len() as u64)
                .collect::<Vec<_>>()
        })
    });
    equal(
        "bytes of the files",
        found.unwrap_or_default(),
        sizes.to_vec(),
    )
}

/// The response must be whole, with this content of its files.
async fn expect_whole(peer: &Peer, download: &Message, sizes: &[u64]) -> Outcome {
    let response = peer.expect_response(&download.id).await?;
    for (file, size) in response.files.iter().zip(sizes) {
        ensure_same(&file.content, &content(*size as usize))?;
    }
    Ok(())
}

async fn grant(peer: &mut Peer, entries: &[Entry]) -> Outcome {
    peer.send(packet::flow(entries)).await
}

fn file(index: u32, limit: u64) -> Entry {
    Entry::credit(0, Part::File(index), limit)
}

fn stop(part: Option<Part>) -> Entry {
    Entry::Stop { number: 0, part }
}

pub(super) fn cases(section: &mut Section) {
    section.case(
        "ext.credit.exact",
        "the window is used to its last byte, and not beyond",
        async |t: Trial| {
            let (mut peer, download) = downloading(&t, &[("a", 10_000)]).await?;
            expect_files(&mut peer, &download, &[WINDOW]).await?;
            grant(&mut peer, &[file(0, 10_000)]).await?;
            expect_whole(&peer, &download, &[10_000]).await
        },
    );
    section.case(
        "ext.credit.exact",
        "credit for one byte is used",
        async |t: Trial| {
            let (mut peer, download) = downloading(&t, &[("a", 10_000)]).await?;
            for limit in [1, 2, 1_000] {
                grant(&mut peer, &[file(0, limit)]).await?;
                expect_files(&mut peer, &download, &[WINDOW + limit]).await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.flow",
        "limits and indexes are read in every width",
        async |t: Trial| {
            let (mut peer, download) = downloading(&t, &[("a", 10_000)]).await?;
            for (limit, form) in [(10_u64, 0), (20, 1), (30, 2), (40, 3)] {
                for long in [false, true] {
                    let limit = limit + u64::from(long);
                    let mut entry = vec![if long { 0x80 } else { 0x40 } | form << 4];
                    entry.extend([0; 4]);
                    entry.extend(if long { vec![0; 3] } else { vec![0] });
                    entry.extend(&limit.to_le_bytes()[..packet::LIMIT[usize::from(form)]]);
                    peer.send(packet::sized(0xF2, &entry)).await?;
                    expect_files(&mut peer, &download, &[WINDOW + limit]).await?;
                }
            }
            Ok(())
        },
    );
    section.case(
        "ext.credit.grows",
        "a lower or equal limit has no effect",
        async |t: Trial| {
            let (mut peer, download) = downloading(&t, &[("a", 10_000)]).await?;
            for limit in [1_000, 1_000, 10, 0] {
                grant(&mut peer, &[file(0, limit)]).await?;
            }
            expect_files(&mut peer, &download, &[WINDOW + 1_000]).await?;
            grant(&mut peer, &[file(0, 1_100)]).await?;
            expect_files(&mut peer, &download, &[WINDOW + 1_100]).await
        },
    );
    section.case(
        "ext.credit.any-part",
        "a file with credit is sent though another has none",
        async |t: Trial| {
            let files = [("a", 6_000), ("b", 5_000), ("c", 5_000)];
            let (mut peer, download) = downloading(&t, &files).await?;
            expect_files(&mut peer, &download, &[WINDOW, 0, 0]).await?;
            grant(&mut peer, &[file(2, 5_000)]).await?;
            expect_files(&mut peer, &download, &[WINDOW, 0, 5_000]).await?;
            grant(&mut peer, &[file(0, 6_000), file(1, 5_000)]).await?;
            expect_whole(&peer, &download, &[6_000, 5_000, 5_000]).await
        },
    );
    section.case(
        "ext.credit.grows",
        "credit for a file that has ended counts for the others",
        async |t: Trial| {
            let files = [("a", 3_000), ("b", 3_000)];
            let (mut peer, download) = downloading(&t, &files).await?;
            expect_files(&mut peer, &download, &[3_000, WINDOW - 3_000]).await?;
            grant(&mut peer, &[file(0, 3_000)]).await?;
            expect_whole(&peer, &download, &[3_000, 3_000]).await
        },
    );
    section.case(
        "ext.credit.enough",
        "an entry releases all files below an index",
        async |t: Trial| {
            let files = [("a", 2_000), ("b", 2_000), ("c", 4_000)];
            let (mut peer, download) = downloading(&t, &files).await?;
            expect_files(&mut peer, &download, &[2_000, 2_000, WINDOW - 4_000]).await?;
            let read = Entry::Read {
                number: 0,
                below: 2,
            };
            grant(&mut peer, &[read]).await?;
            expect_whole(&peer, &download, &[2_000, 2_000, 4_000]).await
        },
    );
    section.case(
        "ext.credit.enough",
        "a release of a file that has not ended ends the connection",
        async |t: Trial| {
            let files = [("a", 2_000), ("b", 9_000)];
            let (mut peer, download) = downloading(&t, &files).await?;
            expect_files(&mut peer, &download, &[2_000, WINDOW - 2_000]).await?;
            let read = Entry::Read {
                number: 0,
                below: 2,
            };
            peer.expect_end_after(packet::flow(&[read])).await
        },
    );
    section.case(
        "ext.credit.connection",
        "the limit of the connection is used to its last byte, and not beyond",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(2, CONNECTION)]).await?;
            let download = interop::download(&[("a", 30_000)]);
            peer.send(download.bytes()).await?;
            expect_files(&mut peer, &download, &[CONNECTION]).await?;
            grant(&mut peer, &[Entry::Connection(CONNECTION - 1)]).await?;
            grant(&mut peer, &[Entry::Connection(CONNECTION + 1)]).await?;
            expect_files(&mut peer, &download, &[CONNECTION + 1]).await?;
            grant(&mut peer, &[Entry::Connection(30_000)]).await?;
            expect_whole(&peer, &download, &[30_000]).await
        },
    );
    section.case(
        "ext.credit.connection",
        "all messages of a direction share the limit of the connection",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(2, CONNECTION)]).await?;
            let first = interop::download(&[("a", CONNECTION - 100)]);
            let second = interop::download(&[("b", 9_000)]);
            peer.send(first.bytes()).await?;
            expect_whole(&peer, &first, &[CONNECTION - 100]).await?;
            peer.send(second.bytes()).await?;
            expect_files(&mut peer, &second, &[100]).await
        },
    );
    section.case(
        "ext.credit.lifeline",
        "a lifeline is credit in addition to the limit of the connection",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(2, CONNECTION)]).await?;
            let (first, second) = (
                interop::download(&[("a", 30_000)]),
                interop::download(&[("b", 9_000)]),
            );
            peer.send(first.bytes()).await?;
            expect_files(&mut peer, &first, &[CONNECTION]).await?;
            peer.send(second.bytes()).await?;
            expect_files(&mut peer, &second, &[0]).await?;
            let lifeline = Entry::Credit {
                number: 1,
                part: Part::File(0),
                limit: 4_096,
                is_lifeline: true,
            };
            grant(&mut peer, &[lifeline]).await?;
            expect_files(&mut peer, &second, &[4_096]).await?;
            expect_files(&mut peer, &first, &[CONNECTION]).await?;
            // Its bytes have not counted.
            grant(&mut peer, &[Entry::Connection(CONNECTION + 10)]).await?;
            peer.until("ten bytes more", |all| {
                let sizes = [&first, &second].map(|each| {
                    let response = all.response_to(&each.id);
                    response.map_or(0, |response| response.files[0].content.len() as u64)
                });
                (sizes[0] + sizes[1] >= CONNECTION + 4_096 + 10).then_some(())
            })
            .await
        },
    );
    section.case(
        "ext.credit.grows",
        "credit for a part that was not announced ends the connection",
        async |t: Trial| {
            for part in [Part::File(1), Part::File(70_000), Part::Stream] {
                let (mut peer, download) = downloading(&t, &[("a", 10_000)]).await?;
                expect_files(&mut peer, &download, &[WINDOW]).await?;
                let entry = Entry::credit(0, part, 5_000);
                peer.expect_end_after(packet::flow(&[entry])).await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.number.unknown",
        "credit and stops for messages that have not begun end the connection",
        async |t: Trial| {
            let entries = [
                Entry::credit(1_000, Part::Stream, 5_000),
                Entry::credit(1_000, Part::File(0), 5_000),
                Entry::Read {
                    number: 1_000,
                    below: 1,
                },
                Entry::Stop {
                    number: 1_000,
                    part: None,
                },
                Entry::Stop {
                    number: 1_000,
                    part: Some(Part::Stream),
                },
            ];
            ends_after(&t, entries.map(|entry| packet::flow(&[entry]))).await
        },
    );
    section.case(
        "ext.number",
        "responses count, and fast replies do not",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(1, WINDOW)]).await?;
            peer.ping().await?;
            peer.expect_echo(&Message::ask("raw").payload("a"), b"a")
                .await?;
            peer.ping().await?;
            let download = interop::download(&[("a", 10_000)]);
            peer.send(download.bytes()).await?;
            expect_files(&mut peer, &download, &[WINDOW]).await?;
            grant(&mut peer, &[Entry::credit(1, Part::File(0), 10_000)]).await?;
            expect_whole(&peer, &download, &[10_000]).await
        },
    );
    section.case(
        "ext.credit.grows",
        "credit and stops for a message that is over have no effect",
        async |t: Trial| {
            let (mut peer, download) = downloading(&t, &[("a", 1_000)]).await?;
            expect_whole(&peer, &download, &[1_000]).await?;
            grant(&mut peer, &[file(0, 5_000), stop(Some(Part::File(0)))]).await?;
            grant(&mut peer, &[stop(None)]).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.stop",
        "a file that is stopped ends",
        async |t: Trial| {
            let files = [("a", 10_000), ("b", 3_000)];
            let (mut peer, download) = downloading(&t, &files).await?;
            expect_files(&mut peer, &download, &[WINDOW, 0]).await?;
            peer.expect_short_files();
            grant(&mut peer, &[stop(Some(Part::File(0)))]).await?;
            // The bytes of what was stopped leave the window.
            let response = peer.expect_response(&download.id).await?;
            equal(
                "bytes of the file that was stopped",
                response.files[0].content.len() as u64,
                WINDOW,
            )?;
            ensure_same(&response.files[1].content, &content(3_000))
        },
    );
    section.case(
        "ext.stop",
        "the bytes of a file that is stopped after its end leave the window",
        async |t: Trial| {
            let files = [("a", 3_000), ("b", 4_000)];
            let (mut peer, download) = downloading(&t, &files).await?;
            expect_files(&mut peer, &download, &[3_000, WINDOW - 3_000]).await?;
            grant(&mut peer, &[stop(Some(Part::File(0)))]).await?;
            expect_whole(&peer, &download, &[3_000, 4_000]).await
        },
    );
    section.case(
        "ext.stop.once",
        "a second stop has no effect",
        async |t: Trial| {
            let (mut peer, download) = downloading(&t, &[("a", 10_000)]).await?;
            expect_files(&mut peer, &download, &[WINDOW]).await?;
            peer.expect_short_files();
            let stop = stop(Some(Part::File(0)));
            grant(&mut peer, &[stop, stop]).await?;
            peer.expect_response(&download.id).await?;
            grant(&mut peer, &[stop]).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.stop",
        "a stream that is stopped ends",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let echo = Message::ask("stream-echo").stream();
            peer.send([echo.first(), packet::stream(b"first")].concat())
                .await?;
            peer.part_of(&echo.id, "the stream", |response| {
                !response.stream.is_empty()
            })
            .await?;
            grant(&mut peer, &[stop(Some(Part::Stream))]).await?;
            peer.expect_response(&echo.id).await?;
            peer.send(packet::STREAM_END).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.stop.message",
        "a message that is stopped is aborted",
        async |t: Trial| {
            let files = [("a", 10_000), ("b", 10_000)];
            let (mut peer, download) = downloading(&t, &files).await?;
            expect_files(&mut peer, &download, &[WINDOW, 0]).await?;
            grant(&mut peer, &[stop(None)]).await?;
            peer.part_of(&download.id, "Abort", |response| response.is_aborted)
                .await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.abort.free",
        "many messages on one channel, each aborted by a stop",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(1, WINDOW), (3, 16)]).await?;
            for number in 0..100 {
                let download = interop::download(&[("a", 10_000)]);
                peer.send(download.bytes()).await?;
                peer.part_of(&download.id, "a response", |_| true).await?;
                grant(&mut peer, &[Entry::Stop { number, part: None }]).await?;
                peer.part_of(&download.id, "Abort", |response| response.is_aborted)
                    .await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "ext.credit.budget",
        "1,000 entries of Flow packets are accepted, and a flood ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            // Each has an effect.
            let mut limit = 1 << 30;
            let mut few = || {
                let entries = (limit..limit + 500).map(Entry::Connection);
                limit += 500;
                packet::flow(&entries.collect::<Vec<_>>())
            };
            peer.send([few(), few()].concat()).await?;
            peer.alive().await?;
            for _ in 0..10 {
                peer.send(few()).await?;
            }
            peer.closed().await.map(drop)
        },
    );
    section.case(
        "ext.credit.exact",
        "a stream that the endpoint sends as a caller keeps the window, too",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(1, WINDOW)]).await?;
            let relay = Relay {
                stream: Some(10_000),
                ..Relay::default()
            };
            let relayed = relay.send(&mut peer).await?;
            let stream = |all: &crate::received::Received| {
                let message = all.messages.iter().find(|each| each.head.id == relayed.id);
                message.map_or(0, |message| message.stream.len() as u64)
            };
            peer.until("a window of the stream", |all| {
                (stream(all) >= WINDOW).then_some(())
            })
            .await?;
            peer.ping().await?;
            tokio::time::sleep(MOMENT).await;
            equal("bytes of the stream", peer.look(stream), WINDOW)?;
            grant(&mut peer, &[Entry::credit(0, Part::Stream, 10_000)]).await?;
            peer.until("the whole stream", |all| {
                (stream(all) == 10_000).then_some(())
            })
            .await?;
            peer.send(packet::code(7, &relayed.id)).await?;
            relayed.expect(&peer, &[Told::code(7)]).await
        },
    );
}
