//! Forms of packets.

use super::*;

const PING: [u8; 9] = [4, 1, 2, 3, 4, 5, 6, 7, 8];

/// The endpoint must answer the ping with these bytes.
async fn expect_pong(peer: &Peer, bytes: [u8; 8]) -> Outcome {
    peer.until("Pong", |all| all.pongs.contains(&bytes).then_some(()))
        .await
}

pub(super) fn cases(section: &mut Section) {
    section.case(
        "ext.ping",
        "Pong has the bytes of the ping",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            for bytes in [[0; 8], [255; 8], [1, 2, 3, 4, 5, 6, 7, 8]] {
                peer.send(packet::control(&[&[4], &bytes[..]].concat()))
                    .await?;
                expect_pong(&peer, bytes).await?;
            }
            equal("number of Pongs", peer.look(|all| all.pongs.len()), 3)
        },
    );
    section.case(
        "ext.ping",
        "of several pings the newest is answered, and none twice",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let pings = (1..=10_u8).map(|each| packet::control(&[&[4], &[each; 8][..]].concat()));
            peer.send(pings.collect::<Vec<_>>().concat()).await?;
            expect_pong(&peer, [10; 8]).await?;
            peer.alive().await?;
            let pongs = peer.look(|all| all.pongs.clone());
            let is_rising = pongs.windows(2).all(|two| two[0][0] < two[1][0]);
            ensure(is_rising, format!("the Pongs are {pongs:?}"))
        },
    );
    section.case(
        "ext.packet",
        "a size is read in every width",
        async |t: Trial| {
            for form in 0..4 {
                let mut peer = t.offering().await?;
                peer.send(packet::sized_as(form, 0xF0, &[0])).await?;
                let mut ping = PING;
                ping[1] = form as u8;
                peer.send(packet::sized_as(form, 0xF0, &ping)).await?;
                expect_pong(&peer, [form as u8, 2, 3, 4, 5, 6, 7, 8]).await?;
                let request = Message::ask("ping");
                let metadata = packet::sized_as(form, 0xF1, &[0, 255]);
                let flow = packet::sized_as(form, 0xF2, &[0x04, 0, 0]);
                peer.send([flow, metadata, request.bytes()].concat())
                    .await?;
                peer.reply(&request.id).await?;
                peer.alive().await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.packet",
        "packets that arrive byte by byte",
        async |t: Trial| {
            let mut peer = t.offering().await?;
            let ping = Message::ask("ping");
            let script = [
                packet::SETTINGS.to_vec(),
                packet::control(&PING),
                packet::flow(&[Entry::Connection(5)]),
                packet::metadata(b"\x01\x30\x75\x4C\x06tenant\x04acme"),
                packet::switch(1),
                ping.bytes(),
            ];
            peer.send_each(script.concat().chunks(1)).await?;
            expect_pong(&peer, [1, 2, 3, 4, 5, 6, 7, 8]).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.packet.bound",
        "the largest packets of each kind",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let mut control = vec![100];
            control.resize(8_192, 7);
            // 585 entries of 7 bytes, each with a higher limit, and a byte less than the bound.
            let limits = (0..585).map(|each| Entry::Connection((1 << 32) + each));
            let flow: Vec<_> = limits.flat_map(|entry| entry.bytes()).collect();
            let largest = peer.setting(4, 8_192).await? as usize;
            let mut metadata = b"\x58\x01a".to_vec();
            let value = largest - metadata.len() - 2;
            metadata.extend((value as u16).to_le_bytes());
            metadata.resize(largest, 1);
            let ping = Message::ask("ping");
            let script = [
                packet::control(&control),
                packet::sized(0xF2, &flow),
                packet::metadata(&metadata),
                ping.bytes(),
            ];
            peer.send(script.concat()).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.packet.bound",
        "a size of Metadata beyond setting 4 ends the connection before its content",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let largest = peer.setting(4, 8_192).await?;
            peer.expect_end_after(packet::begun(2, 0xF1, largest + 1))
                .await
        },
    );
    section.case(
        "ext.packet.bound",
        "the largest sizes end the connection before any content",
        async |t: Trial| {
            let kinds = [0xF0, 0xF1, 0xF2];
            let begun = kinds.map(|kind| packet::begun(3, kind, u32::MAX.into()));
            ends_after(&t, begun).await
        },
    );
    section.case(
        "ext.packet.kind",
        "the unassigned kind ends the connection in every width and without content",
        async |t: Trial| {
            let packets = (0..4).map(|form| packet::begun(form, 0xF3, 0));
            ends_after(&t, packets).await
        },
    );
    section.case(
        "ext.control.unknown",
        "every unknown kind of Control packets below 128 is skipped",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            for kind in [7, 8, 31, 64, 126, 127] {
                peer.send(packet::control(&[kind])).await?;
                peer.send(packet::control(&[&[kind], &[0xFF; 300][..]].concat()))
                    .await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "ext.packet.channelless",
        "packets of the extension between the pieces of content",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let sum = Message::ask("everything")
                .announced(6)
                .announced_file("f", 2)
                .stream();
            let flow = packet::flow(&[Entry::Connection(1)]);
            let pieces = [
                sum.first(),
                packet::data(b"\xA5hel"),
                packet::data(b"lo"),
                packet::file(0, b"a"),
                packet::file(0, b"b"),
                packet::file_end(0),
                packet::stream(b"str"),
                packet::stream(b"eam"),
                packet::STREAM_END.to_vec(),
            ];
            peer.send(pieces.join(&[packet::control(&PING), flow].concat()[..]))
                .await?;
            let response = peer.expect_response(&sum.id).await?;
            let found: interop::Everything = interop::value_of(&response)?;
            let expected = interop::Everything {
                data: digest(b"\xA5hello"),
                files: vec![interop::file_digest("f", b"ab")],
                stream: digest(b"stream"),
            };
            equal("what was received", found, expected)
        },
    );
    section.case(
        "ext.packet.channelless",
        "Flow and Ping between all pieces of a header",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let ping = Message::ask("ping");
            let between = [
                packet::flow(&[Entry::Connection(1)]),
                packet::control(&PING),
                vec![0xF0, 0],
            ];
            let pieces = ping.pieces([1; 18]);
            peer.send(pieces.join(&between.concat()[..])).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.flow",
        "every combination of undefined flags ends the connection",
        async |t: Trial| {
            // Each with the length that its fields would have. They are about a message that is over, so
            // that only the flags can be wrong.
            let entries = [
                (0x0C, 5), // an unassigned kind
                (0x44, 3), // the connection with a part
                (0x84, 3),
                (0xC4, 3),
                (0x06, 3), // the connection as a lifeline
                (0xD0, 8), // files below an index with a limit
                (0xC2, 8), // files below an index as a lifeline
                (0x18, 5), // a stop with a limit
                (0x0A, 5), // a stop as a lifeline
                (0x01, 7), // the reserved bit
                (0x05, 3),
                (0x09, 5),
            ];
            for (flags, length) in entries {
                let mut peer = t.extended().await?;
                peer.expect_echo(&Message::ask("raw").payload("a"), b"a")
                    .await?;
                let mut entry = vec![flags];
                entry.resize(length, 0);
                peer.expect_end_after(packet::sized(0xF2, &entry)).await?;
            }
            t.expect_life().await
        },
    );
    section.case(
        "ext.content.exact",
        "a Flow packet that ends inside an entry ends the connection",
        async |t: Trial| {
            let entry = Entry::Connection(1 << 30).bytes();
            let cut = (1..entry.len()).map(|length| packet::sized(0xF2, &entry[..length]));
            ends_after(&t, cut).await
        },
    );
    section.case(
        "ext.inactive",
        "no kind of packet of the extension without the offer",
        async |t: Trial| {
            for packet in [
                packet::control(&PING),
                packet::metadata(&[0, 200]),
                packet::flow(&[Entry::Connection(1 << 30)]),
                packet::cancel(&[0]),
                packet::DONE.to_vec(),
            ] {
                let mut peer = t.peer().await?;
                peer.expect_end_after(packet).await?;
                let pongs = peer.look(|all| all.pongs.len());
                equal("number of Pongs", pongs, 0)?;
            }
            t.expect_life().await
        },
    );
}
