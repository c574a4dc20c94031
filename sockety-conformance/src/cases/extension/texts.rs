//! Metadata and Status.

use super::*;

/// Metadata with these entries, and a request.
fn before_ping(entries: &[u8]) -> (Vec<u8>, Message) {
    let ping = Message::ask("ping");
    ([packet::metadata(entries), ping.bytes()].concat(), ping)
}

/// Each of these, before a request on its own connection, must end the connection.
async fn breaks<E: AsRef<[u8]>>(t: &Trial, all: impl IntoIterator<Item = E>) -> Outcome {
    ends_after(
        t,
        all.into_iter()
            .map(|entries| before_ping(entries.as_ref()).0),
    )
    .await
}

/// Each of these, before a request on the same connection, must be accepted.
async fn accepts<E: AsRef<[u8]>>(peer: &mut Peer, all: impl IntoIterator<Item = E>) -> Outcome {
    for entries in all {
        let (script, ping) = before_ping(entries.as_ref());
        peer.send(script).await?;
        peer.expect_code(&ping.id, 0).await?;
    }
    Ok(())
}

/// An entry with a name and no value.
fn named(name: &[u8]) -> Vec<u8> {
    [&[0x48, name.len() as u8], name, &[0]].concat()
}

/// An entry whose name is remembered.
fn remembered(name: &str) -> Vec<u8> {
    [&[0x4C, name.len() as u8], name.as_bytes(), &[0]].concat()
}

/// The context of a trace.
fn trace(trace: u8, parent: u8) -> Vec<u8> {
    [&[4][..], &[trace; 16], &[parent; 8], &[1]].concat()
}

pub(super) fn cases(section: &mut Section) {
    section.case(
        "ext.meta.place",
        "no content, end or abort may follow metadata",
        async |t: Trial| {
            let open = Message::ask("everything")
                .announced(5)
                .announced_file("f", 5)
                .stream()
                .first();
            let after = [
                packet::data(b"x"),
                packet::file(0, b"x"),
                packet::file_end(0),
                packet::stream(b"x"),
                packet::STREAM_END.to_vec(),
                packet::ABORT.to_vec(),
                packet::status(0, &[]),
                packet::flow(&[Entry::Connection(1)]),
                packet::control(&[4, 1, 2, 3, 4, 5, 6, 7, 8]),
                packet::cancel(&[0]),
            ];
            let metadata = packet::metadata(&[0x20, 0]);
            let scripts = after.map(|after| [&open[..], &metadata, &after].concat());
            ends_after(&t, scripts).await?;
            let pieces = Message::ask("ping").pieces([5]);
            ends_after(&t, [pieces.join(&metadata[..])]).await
        },
    );
    section.case(
        "ext.meta.place",
        "a second switch ends the connection, though it is followed by the message",
        async |t: Trial| {
            let script = [
                packet::metadata(&[0x20, 0]),
                packet::switch(1),
                packet::switch(2),
                Message::ask("ping").bytes(),
            ];
            ends_after(&t, [script.concat()]).await
        },
    );
    section.case(
        "ext.meta.place",
        "metadata before fast replies and responses",
        async |t: Trial| {
            for entries in [&[8, 250][..], &[0x20, 3, 1, 2, 3], &b"\x48\x01a\x01b"[..]] {
                let mut peer = t.extended().await?;
                let metadata = packet::metadata(entries);
                let relayed = Relay::default().send(&mut peer).await?;
                let switch = packet::switch(3);
                let code = packet::code(1_000, &relayed.id);
                peer.send([&metadata[..], &switch, &code].concat()).await?;
                relayed.expect(&peer, &[Told::code(1_000)]).await?;
                let relayed = Relay::default().send(&mut peer).await?;
                let answer = Message::answer(relayed.id).payload("answer");
                peer.send([metadata, answer.bytes()].concat()).await?;
                relayed.expect(&peer, &[Told::response(b"answer")]).await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.meta.place",
        "metadata before a message whose header is in pieces",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let request = long();
            let pieces = request.pieces([1, 8]);
            let script = [packet::metadata(&[0, 200]), pieces[0].clone()];
            peer.send(script.concat()).await?;
            peer.send(packet::HEARTBEAT).await?;
            peer.send([pieces[1..].concat(), request.content()].concat())
                .await?;
            let code = peer.expect_refusal(&request.id).await?;
            ensure(
                [3_843, 3_847].contains(&code),
                format!("the code is {code}"),
            )?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.bound",
        "64 entries are accepted, and 65 end the connection",
        async |t: Trial| {
            let unknown = |count: usize| [0x20, 0].repeat(count);
            let names = |count: usize| {
                let all = (0..count).map(|each| named(format!("n{each}").as_bytes()));
                all.collect::<Vec<_>>().concat()
            };
            let mut peer = t.extended().await?;
            accepts(&mut peer, [unknown(64), names(64)]).await?;
            drop(peer);
            breaks(&t, [unknown(65), names(65)]).await
        },
    );
    section.case(
        "ext.meta.entry",
        "every first byte without a meaning ends the connection",
        async |t: Trial| {
            // Long enough for any entry.
            let with = |first: u8| [&[first][..], &[1; 40]].concat();
            let firsts = [
                0x06,
                0x07,
                0x0C,
                0x0F,
                0x1F,
                0x41,
                0x42,
                0x43,
                0x60 | 1,
                0xC0,
                0xFF,
            ];
            breaks(&t, firsts.map(with)).await
        },
    );
    section.case(
        "ext.meta.entry",
        "a name that is to be remembered without a name ends the connection",
        async |t: Trial| breaks(&t, [[0x44, 0, 0], [0x64, 1, 0]]).await,
    );
    section.case(
        "ext.content.exact",
        "entries that are cut end the connection",
        async |t: Trial| {
            let whole: [&[u8]; 8] = [
                &[1, 0x30, 0x75],
                &[3, 0, 0, 0, 1],
                &[4; 26],
                &[5, 1],
                &[10, 0, 0, 0],
                &[0x3F, 3, 1, 2, 3],
                b"\x48\x03abc\x03xyz",
                b"\x50\x00\x02\x00xy",
            ];
            for entry in whole {
                for length in 1..entry.len() {
                    breaks(&t, [entry[..length].to_vec()]).await?;
                }
            }
            Ok(())
        },
    );
    section.case(
        "ext.meta.user",
        "names of every length and character, and values of any bytes",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let all = b"abcdefghijklmnopqrstuvwxyz0123456789._-";
            let names = [
                named(all),
                named(&[b'a'; 64]),
                named(b"-"),
                named(b"sockety"),
                b"\x48\x01v\xFF"
                    .iter()
                    .copied()
                    .chain([0xFF; 255])
                    .collect(),
                [&b"\x58\x01v\x00\x10"[..], &[0; 4_096]].concat(),
                // A secret with a name, and one without.
                b"\x68\x01s\x02xy".to_vec(),
                b"\x60\x02\x02xy".to_vec(),
            ];
            accepts(&mut peer, names).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.user",
        "each forbidden character and length of a name ends the connection",
        async |t: Trial| {
            let long = [b'a'; 65];
            let names: [&[u8]; 11] = [
                b"",
                &long,
                b"aB",
                b"a b",
                b"a/b",
                b"a_b:",
                b"a\x00",
                b"\xC3\xA4",
                b"\xFF",
                b"sockety-",
                b"sockety-deadline",
            ];
            breaks(&t, names.map(named)).await
        },
    );
    section.case(
        "ext.meta.user",
        "a built-in entry that is there twice ends the connection",
        async |t: Trial| {
            let twice = [
                [3, 0xFF, 0xFF, 0xFF, 0xFF, 0, 200].to_vec(),
                trace(1, 1).repeat(2),
                [5, 1].repeat(2),
                [8, 1, 9, 1, 0].to_vec(),
            ];
            breaks(&t, twice).await
        },
    );
    section.case(
        "ext.meta.user",
        "a name that is there by a slot and in full ends the connection",
        async |t: Trial| {
            let entries = [
                [&[0x40, 0, 0][..], &named(b"tracestate")].concat(),
                [&[0x40, 1, 0][..], &[0x40, 1, 0]].concat(),
                [named(b"authorization"), vec![0x60, 2, 0]].concat(),
                [remembered("tenant"), vec![0x40, 16, 0]].concat(),
            ];
            breaks(&t, entries).await
        },
    );
    section.case(
        "ext.meta.names",
        "slots 0 to 2 have names from the beginning, and 3 to 15 have none",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            accepts(&mut peer, [0, 1, 2].map(|slot| [0x40, slot, 1, b'x'])).await?;
            drop(peer);
            breaks(&t, (3..=15).map(|slot| [0x40, slot, 0])).await
        },
    );
    section.case(
        "ext.meta.names",
        "64 names are remembered in order, and one more ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            for each in 0..64 {
                accepts(&mut peer, [remembered(&format!("name{each}"))]).await?;
            }
            let slots = (16..80).map(|slot| [0x40, slot, 1, 7]);
            accepts(&mut peer, [slots.flatten().collect::<Vec<_>>()]).await?;
            peer.expect_end_after(before_ping(&remembered("late")).0)
                .await
        },
    );
    section.case(
        "ext.meta.names",
        "the slot after the last that has a name ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            accepts(&mut peer, [remembered("a"), remembered("b")]).await?;
            accepts(&mut peer, [[0x40, 16, 0], [0x40, 17, 0]]).await?;
            peer.expect_end_after(before_ping(&[0x40, 18, 0]).0).await
        },
    );
    section.case(
        "ext.meta.names",
        "names are remembered from metadata of messages that are refused, one-way or over",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let script = [
                packet::metadata(&remembered("a")),
                Message::ask("no-such-action").bytes(),
                packet::metadata(&remembered("b")),
                Message::tell("no-such-action").bytes(),
                packet::metadata(&[&[0, 0][..], &remembered("c")].concat()),
                Message::ask("ping").bytes(),
                packet::metadata(&remembered("d")),
                packet::switch(4),
                Message::tell("hold").stream().first(),
                packet::ABORT.to_vec(),
            ];
            peer.send(script.concat()).await?;
            let slots = [16, 17, 18, 19].map(|slot| [0x40, slot, 0]);
            accepts(&mut peer, [slots.concat()]).await?;
            peer.expect_end_after(before_ping(&[0x40, 20, 0]).0).await
        },
    );
    section.case(
        "ext.meta.trace",
        "a trace context, also one of zeros",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            accepts(
                &mut peer,
                [trace(1, 2), trace(0, 2), trace(1, 0), trace(0, 0)],
            )
            .await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.attempt",
        "attempts, and retry after in every width",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let entries: [&[u8]; 7] = [
                &[5, 0],
                &[5, 255],
                &[8, 1],
                &[9, 1, 1],
                &[10, 1, 1, 1],
                &[11, 255, 255, 255, 255],
                &[5, 1, 8, 1, 0, 255],
            ];
            accepts(&mut peer, entries).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.entry",
        "entries of every unknown kind are skipped with their bytes",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let unknown = (0x20..=0x3F_u8).map(|first| [&[first, 200][..], &[0xFF; 200]].concat());
            let mut entries = unknown.collect::<Vec<_>>().concat();
            // What follows them is read.
            entries.extend([0, 0]);
            let request = long();
            peer.send([packet::metadata(&entries), request.bytes()].concat())
                .await?;
            peer.expect_code(&request.id, 3_847).await
        },
    );
    section.case(
        "ext.status",
        "a stream may end with Status 0",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let sum = Message::ask("stream-sum").stream();
            let script = [
                sum.first(),
                packet::stream(b"all"),
                packet::status(0, &[]),
                packet::STREAM_END.to_vec(),
            ];
            peer.send(script.concat()).await?;
            interop::expect_sum(&peer, &sum.id, b"all").await
        },
    );
    section.case(
        "ext.status",
        "a stream that ends with another code has not ended well",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let sum = Message::ask("stream-sum").stream();
            let script = [
                sum.first(),
                packet::stream(b"not all"),
                packet::status(1_234, b"\xA3why"),
                packet::STREAM_END.to_vec(),
            ];
            peer.send(script.concat()).await?;
            peer.expect_refusal(&sum.id).await?;
            peer.alive().await
        },
    );
    section.case("ext.status", "Status before an Abort", async |t: Trial| {
        let mut peer = t.extended().await?;
        let lost = Message::tell("hold").stream();
        let script = [
            lost.first(),
            packet::stream(b"x"),
            packet::status(4_095, &[]),
            packet::ABORT.to_vec(),
        ];
        peer.send(script.concat()).await?;
        peer.ping().await
    });
    section.case(
        "ext.status",
        "anything else after Status ends the connection",
        async |t: Trial| {
            let open = long().announced_file("f", 5).stream().first();
            let after = [
                packet::HEARTBEAT.to_vec(),
                packet::switch(0),
                packet::switch(1),
                packet::stream(b"x"),
                packet::file(0, b"x"),
                packet::file_end(0),
                packet::status(1, &[]),
                packet::control(&[100]),
                packet::flow(&[Entry::Connection(1)]),
                packet::metadata(&[0, 1]),
                packet::code(0, &fresh_id(true)),
                Message::tell("note").bytes(),
            ];
            let status = packet::status(1, &[]);
            let scripts = after.map(|after| [&open[..], &status, &after].concat());
            ends_after(&t, scripts).await
        },
    );
    section.case(
        "ext.status",
        "Status after the end of its message, and on another channel, ends the connection",
        async |t: Trial| {
            let stream = Message::tell("note").stream().first();
            let over = [&stream[..], &packet::STREAM_END, &packet::status(0, &[])].concat();
            let elsewhere = [&stream[..], &packet::switch(1), &packet::status(0, &[])].concat();
            ends_after(&t, [over, elsewhere]).await
        },
    );
    section.case(
        "ext.content.exact",
        "Status with a code or an error out of its range ends the connection",
        async |t: Trial| {
            let open = long().stream().first();
            // One MessagePack value of 4,097 bytes.
            let large = [&[0xC5, 0x0F, 0xFE][..], &[0; 4_094]].concat();
            let wrong = [
                packet::status(4_096, &[]),
                packet::status(0xFFFF, &[]),
                packet::status(1, &large),
                packet::control(&[6, 1]),
            ];
            let end = packet::STREAM_END;
            let scripts = wrong.map(|status| [&open[..], &status, &end].concat());
            ends_after(&t, scripts).await?;
            let largest = [&[0xC5, 0x0F, 0xFD][..], &[0; 4_093]].concat();
            let mut peer = t.extended().await?;
            let script = [&open[..], &packet::status(4_095, &largest), &packet::ABORT];
            peer.send(script.concat()).await?;
            peer.alive().await
        },
    );
}
