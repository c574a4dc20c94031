//! X: the unassigned packet type, and the extension for which it is used.

use super::prelude::*;
use crate::case::EXTENSION;

mod cancel;
mod leave;
mod packets;
mod receiving;
mod sending;
mod settings;
mod texts;

/// The endpoint must end a connection with the extension after each of these.
async fn ends_after(t: &Trial, scripts: impl IntoIterator<Item = Vec<u8>>) -> Outcome {
    for script in scripts {
        t.extended().await?.expect_end_after(script).await?;
    }
    t.expect_life().await
}

/// Each of these must have no effect.
async fn ignores(t: &Trial, scripts: impl IntoIterator<Item = Vec<u8>>) -> Outcome {
    for script in scripts {
        let mut peer = t.extended().await?;
        peer.send(script).await?;
        peer.alive().await?;
    }
    Ok(())
}

/// Metadata with a deadline.
fn deadline(millis: u16) -> Vec<u8> {
    let [low, high] = millis.to_le_bytes();
    packet::metadata(&[1, low, high])
}

/// A request that is not answered for a long time.
fn long() -> Message {
    interop::hold(600_000)
}

pub fn section() -> Section {
    let mut section = Section::new(EXTENSION, "Extension");
    section.case(
        "packet.unknown",
        "no extension is used that was not offered",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let (raw, download) = (
                Message::ask("raw").payload("plain"),
                interop::download(&[("file", 100)]),
            );
            for message in [raw, download] {
                peer.ask(&message).await?;
            }
            // A packet of type 1111 would have been noticed. Bits 2 and 3 of the header must be 0.
            let first = peer.look(|all| all.header.map(|(first, _)| first & 0x0C));
            equal("reserved bits in the connection header", first, Some(0))?;
            peer.alive().await
        },
    );
    section.case(
        "packet.unknown",
        "a packet of the unassigned type ends the connection",
        async |t: Trial| {
            for first in [0xF0, 0xF7, 0xFF] {
                t.peer().await?.expect_end_after([first, 0]).await?;
            }
            Ok(())
        },
    );
    offer(&mut section);
    packets(&mut section);
    cancelling(&mut section);
    metadata(&mut section);
    receiving::cases(&mut section);
    sending::cases(&mut section);
    packets::cases(&mut section);
    settings::cases(&mut section);
    cancel::cases(&mut section);
    texts::cases(&mut section);
    leave::cases(&mut section);
    waiting(&mut section);
    section
}

fn offer(section: &mut Section) {
    section.case(
        "ext.offer",
        "238 channels in another form are no offer",
        async |t: Trial| {
            let mut peer = t.bare(238).await?;
            peer.send(packet::header(238)).await?;
            peer.header().await?;
            // A packet of the extension would have been noticed.
            peer.alive().await
        },
    );
    section.case(
        "ext.inactive",
        "a peer that offers nothing may not use it",
        async |t: Trial| t.peer().await?.expect_end_after(packet::SETTINGS).await,
    );
    section.case(
        "ext.settings.first",
        "both sides begin with settings",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.alive().await?;
            // What came first was checked when it came.
            let settings = peer.look(|all| all.extension.first().cloned());
            ensure(settings.is_some(), "no settings arrived")
        },
    );
    section.case(
        "ext.settings.first",
        "another first packet ends the connection",
        async |t: Trial| {
            let firsts = [
                packet::HEARTBEAT.to_vec(),
                packet::GO_AWAY.to_vec(),
                Message::ask("ping").bytes(),
                packet::control(&[3]),
                packet::metadata(&[0, 1]),
                packet::control(&[]),
            ];
            for first in firsts {
                t.offering().await?.expect_end_after(first).await?;
            }
            t.expect_life().await
        },
    );
    section.case(
        "ext.settings.first",
        "settings again end the connection",
        async |t: Trial| ends_after(&t, [packet::SETTINGS.to_vec()]).await,
    );
    section.case(
        "ext.settings.entries",
        "values at both ends of their ranges, and unknown ids",
        async |t: Trial| {
            let value = |id: u8, value: u64| [&[id][..], &value.to_le_bytes()[..6]].concat();
            let settings = [
                value(1, 4_096),
                value(1, 1 << 31),
                value(2, 16_384),
                value(2, 1 << 40),
                value(3, 16),
                value(3, 4_096),
                value(4, 1_024),
                value(4, 65_536),
                value(10, 0),
                value(10, 1_000),
                value(200, 7),
            ];
            for settings in settings {
                let mut peer = t.offering().await?;
                peer.send(packet::control(&[&[0], &settings[..]].concat()))
                    .await?;
                peer.alive().await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.settings.entries",
        "a value out of its range, and an id twice, end the connection",
        async |t: Trial| {
            let value = |id: u8, value: u64| [&[id][..], &value.to_le_bytes()[..6]].concat();
            let settings = [
                value(1, 4_095),
                value(1, (1 << 31) + 1),
                value(2, 16_383),
                value(2, (1 << 40) + 1),
                value(3, 15),
                value(3, 4_097),
                value(4, 1_023),
                value(4, 65_537),
                value(5, 1 << 20).repeat(2),
                value(10, 999),
                value(11, 1 << 32),
            ];
            for settings in settings {
                let packet = packet::control(&[&[0], &settings[..]].concat());
                t.offering().await?.expect_end_after(packet).await?;
            }
            t.expect_life().await
        },
    );
}

fn packets(section: &mut Section) {
    section.case(
        "ext.packet.kind",
        "the unassigned kind of packet ends the connection",
        async |t: Trial| ends_after(&t, [vec![0xF3, 1, 0], vec![0xFF]]).await,
    );
    section.case(
        "ext.packet.bound",
        "content that is too large ends the connection before it has arrived",
        async |t: Trial| {
            let sizes = [(0xF4, 8_193_u16), (0xF6, 4_097)];
            let packets = sizes.map(|(first, size)| [&[first], &size.to_le_bytes()[..]].concat());
            ends_after(&t, packets).await
        },
    );
    section.case(
        "ext.packet.empty",
        "empty packets have no effect",
        async |t: Trial| ignores(&t, [vec![0xF0, 0], vec![0xF5, 0, 0], vec![0xF2, 0]]).await,
    );
    section.case(
        "ext.packet.channelless",
        "a packet of the extension between the pieces of a header",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let ping = Message::ask("ping");
            let pieces = ping.pieces([5, 10]);
            peer.send(pieces.join(&packet::control(&[100])[..])).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.control.unknown",
        "unknown kinds of Control packets: some are skipped, others end the connection",
        async |t: Trial| {
            ignores(&t, [100, 127].map(|kind| packet::control(&[kind, 1, 2]))).await?;
            ends_after(&t, [128, 255].map(|kind| packet::control(&[kind]))).await
        },
    );
    section.case(
        "ext.content.exact",
        "malformed Control packets end the connection",
        async |t: Trial| {
            // A field that is cut, and a byte behind the last one.
            let cancel = [packet::control(&[1]), packet::control(&[1, 0, 0, 0])];
            let leave = packet::control(&[2, 0xFF, 0xFF]);
            let done = packet::control(&[3, 0]);
            let ping = packet::control(&[4, 1, 2, 3, 4, 5, 6, 7]);
            let pong = packet::control(&[5, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            ends_after(&t, cancel.into_iter().chain([leave, done, ping, pong])).await?;
            for settings in [&[0, 1][..], &[0, 1, 0, 0, 1, 0, 0, 0, 9]] {
                let mut peer = t.offering().await?;
                peer.expect_end_after(packet::control(settings)).await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.flow",
        "entries of Flow packets with undefined flags end the connection",
        async |t: Trial| ends_after(&t, [vec![0xF2, 1, 0x06], vec![0xF2, 1, 0x01]]).await,
    );
    section.case(
        "ext.status",
        "Status without a message ends the connection",
        async |t: Trial| ends_after(&t, [packet::control(&[6, 1, 0])]).await,
    );
    section.case(
        "ext.leave.done",
        "a message after Done ends the connection",
        async |t: Trial| {
            let messages = [Message::ask("ping"), Message::tell("note")];
            let after = |message: Message| [packet::control(&[3]), message.bytes()].concat();
            ends_after(&t, messages.map(after)).await
        },
    );
}

fn cancelling(section: &mut Section) {
    section.case(
        "ext.cancel.answer",
        "a request that is cancelled while it is executed is answered once",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let (long, ping) = (long(), Message::ask("ping"));
            peer.send([long.bytes(), ping.bytes()].concat()).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.send(packet::cancel(&[0])).await?;
            peer.expect_code(&long.id, 3_844).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.cancel.answer",
        "a request that is over is cancelled without effect",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            peer.ping().await?;
            peer.send(packet::cancel(&[0])).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.cancel",
        "one packet cancels several requests",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let all = [long(), long(), long()];
            for request in &all {
                peer.send(request.bytes()).await?;
            }
            peer.send(packet::cancel(&[0, 2])).await?;
            for request in [&all[0], &all[2]] {
                let code = peer.expect_refusal(&request.id).await?;
                ensure(
                    [3_844, 3_847].contains(&code),
                    format!("the code is {code}"),
                )?;
            }
            ensure(
                peer.look(|every| every.replies_to(&all[1].id)) == 0,
                "the request that was not cancelled was answered",
            )?;
            peer.alive().await
        },
    );
    section.case(
        "ext.number.unknown",
        "a number that has not begun ends the connection",
        async |t: Trial| {
            let late = [long().bytes(), packet::cancel(&[1])].concat();
            ends_after(&t, [packet::cancel(&[0]), late]).await
        },
    );
    section.case(
        "ext.cancel.count",
        "more cancels than requests end the connection",
        async |t: Trial| {
            let one_way = Message::tell("note").bytes();
            let request = Message::ask("ping").bytes();
            let scripts = [
                [one_way, packet::cancel(&[0])].concat(),
                [request, packet::cancel(&[0, 0])].concat(),
            ];
            ends_after(&t, scripts).await
        },
    );
}

fn metadata(section: &mut Section) {
    section.case(
        "ext.meta.deadline",
        "a request whose deadline is over does not begin",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let long = long();
            peer.send([deadline(0), long.bytes()].concat()).await?;
            peer.expect_code(&long.id, 3_847).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.cancel.deadline",
        "a deadline that passes ends the request",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let long = long();
            peer.send([deadline(500), long.bytes()].concat()).await?;
            peer.expect_code(&long.id, 3_843).await?;
            // Of one that is answered in time nothing is noticed.
            let ping = Message::ask("ping");
            peer.send([deadline(20_000), ping.bytes()].concat()).await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.place",
        "a switch of the channel may come between metadata and its message",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let ping = Message::ask("ping");
            let switch = packet::switch(peer.last_channel());
            peer.send([deadline(20_000), switch, ping.bytes()].concat())
                .await?;
            peer.expect_code(&ping.id, 0).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.place",
        "anything else after metadata ends the connection",
        async |t: Trial| {
            let after = [
                packet::HEARTBEAT.to_vec(),
                packet::GO_AWAY.to_vec(),
                deadline(1),
                packet::control(&[100]),
                [packet::switch(1), packet::switch(2)].concat(),
            ];
            ends_after(&t, after.map(|after| [deadline(1), after].concat())).await
        },
    );
    section.case(
        "ext.meta.user",
        "names are remembered for the messages that follow",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let entries = [&b"\x4C\x06tenant\x04acme"[..], &b"\x40\x10\x04acme"[..]];
            for entries in entries {
                let ping = Message::ask("ping");
                peer.send([packet::metadata(entries), ping.bytes()].concat())
                    .await?;
                peer.expect_code(&ping.id, 0).await?;
            }
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.user",
        "names out of rule, and twice in one packet, end the connection",
        async |t: Trial| {
            let entries = [
                &b"\x48\x00\x00"[..],
                &b"\x48\x01A\x00"[..],
                &b"\x48\x09sockety-x\x00"[..],
                &b"\x48\x01a\x00\x48\x01a\x00"[..],
                &[0, 1, 0, 2],
            ];
            let ping = || Message::ask("ping").bytes();
            let scripts = entries.map(|entries| [packet::metadata(entries), ping()].concat());
            ends_after(&t, scripts).await
        },
    );
    section.case(
        "ext.meta.names",
        "a slot without a name ends the connection",
        async |t: Trial| {
            let script = [
                packet::metadata(&[0x40, 16, 0]),
                Message::ask("ping").bytes(),
            ];
            ends_after(&t, [script.concat()]).await
        },
    );
    section.case(
        "ext.meta.entry",
        "entries of later versions are skipped, and others end the connection",
        async |t: Trial| {
            let with = |entries: &[u8]| {
                [packet::metadata(entries), Message::tell("note").bytes()].concat()
            };
            ignores(&t, [with(&[0x20, 2, 1, 2]), with(&[0x3F, 0])]).await?;
            ends_after(&t, [with(&[0x10]), with(&[0x80])]).await
        },
    );
}

fn waiting(section: &mut Section) {
    section.case(
        "ext.cancel.answer",
        "a request that is aborted while it waits for its turn is not executed",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let places = peer.setting(9, 256).await?;
            if places > 400 {
                return skip("the endpoint executes more requests at a time than this case makes");
            }
            let places = places as u32;
            let all: Vec<_> = (0..places).map(|_| long()).collect();
            let sum = Message::ask("stream-sum").stream();
            let mut script: Vec<_> = all.iter().map(Message::bytes).collect();
            script.extend([sum.first(), packet::stream(b"some"), packet::ABORT.to_vec()]);
            peer.send(script.concat()).await?;
            // It may be refused as one too many.
            let code = peer.expect_refusal(&sum.id).await?;
            ensure([3_840, 3_847].contains(&code), format!("code {code}"))?;
            let numbers: Vec<_> = (0..places).collect();
            peer.send(packet::cancel(&numbers)).await?;
            for request in &all {
                peer.expect_refusal(&request.id).await?;
            }
            peer.alive().await
        },
    );
}
