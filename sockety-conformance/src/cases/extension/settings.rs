//! Settings.

use super::*;
use std::time::Duration;

/// Settings 5 to 9 and 11 have no bound but that of their four bytes, if they have one.
const WIDEST: u64 = u32::MAX as u64;

/// A request that lasts this many milliseconds.
fn lasting(millis: u64) -> Message {
    interop::hold(millis)
}

pub(super) fn cases(section: &mut Section) {
    section.case(
        "ext.settings.entries",
        "settings about messages and requests at both ends of their ranges",
        async |t: Trial| {
            for settings in [
                [(6, 0), (7, 0), (8, 0), (9, 0), (11, 0)],
                [
                    (6, WIDEST),
                    (7, WIDEST),
                    (8, WIDEST),
                    (9, WIDEST),
                    (11, WIDEST),
                ],
            ] {
                let mut peer = t.extended_with(&settings).await?;
                peer.alive().await?;
            }
            for payload in [0, (1 << 48) - 1] {
                t.extended_with(&[(5, payload)]).await?.alive().await?;
            }
            Ok(())
        },
    );
    section.case(
        "ext.settings.entries",
        "settings 6 to 9 above their ranges end the connection",
        async |t: Trial| {
            for id in 6..=9 {
                let settings = packet::settings(&[(id, WIDEST + 1)]);
                t.offering().await?.expect_end_after(settings).await?;
            }
            t.expect_life().await
        },
    );
    section.case(
        "ext.settings.entries",
        "each setting twice ends the connection",
        async |t: Trial| {
            for id in 1..=11 {
                let settings = packet::settings(&[(id, 5_000), (10, 5_000), (id, 5_000)]);
                let mut peer = t.offering().await?;
                match id {
                    // Setting 3 has a smaller range.
                    3 => {
                        let settings = packet::settings(&[(3, 100), (3, 100)]);
                        peer.expect_end_after(settings).await?;
                    }
                    2 => {
                        let settings = packet::settings(&[(2, 20_000), (2, 20_000)]);
                        peer.expect_end_after(settings).await?;
                    }
                    _ => peer.expect_end_after(settings).await?,
                }
            }
            Ok(())
        },
    );
    section.case(
        "ext.settings.entries",
        "unknown settings between known ones, of any value",
        async |t: Trial| {
            let settings = [(12, (1 << 48) - 1), (1, 4_096), (0, 0), (255, 1), (10, 0)];
            let mut peer = t.extended_with(&settings).await?;
            let download = interop::download(&[("a", 5_000)]);
            peer.send(download.bytes()).await?;
            // The known one between them counts.
            peer.part_of(&download.id, "a window of the file", |response| {
                response.files[0].content.len() == 4_096
            })
            .await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.content.exact",
        "settings that end inside an entry end the connection",
        async |t: Trial| {
            let whole = [0, 1, 0, 0, 16, 0, 0, 0];
            for length in 2..whole.len() {
                let settings = packet::control(&whole[..length]);
                t.offering().await?.expect_end_after(settings).await?;
            }
            t.expect_life().await
        },
    );
    section.case(
        "ext.settings.channels",
        "the highest channel of setting 3 is received on",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let channels = peer.setting(3, 256).await?;
            peer.send(packet::switch(channels as u16 - 1)).await?;
            peer.ping().await
        },
    );
    section.case(
        "ext.settings.channels",
        "a channel beyond setting 3 ends the connection",
        async |t: Trial| {
            let mut peer = t.extended().await?;
            let channels = peer.setting(3, 256).await? as u16;
            if channels == 4_096 {
                return skip("the endpoint receives on all channels");
            }
            let script = [packet::switch(channels), Message::tell("note").bytes()];
            peer.expect_end_after(script.concat()).await
        },
    );
    section.case(
        "ext.settings.channels",
        "more responses with content than the suite's setting 3 has channels",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(1, 4_096), (3, 16)]).await?;
            // Each response waits for credit, and occupies its channel.
            let downloads: Vec<_> = (0..40)
                .map(|_| interop::download(&[("a", 5_000)]))
                .collect();
            let script: Vec<_> = downloads.iter().map(Message::bytes).collect();
            peer.send(script.concat()).await?;
            for number in 0..40 {
                peer.until("the next response", |all| {
                    (all.messages.len() > number).then_some(())
                })
                .await?;
                let credit = Entry::credit(number as u32, Part::File(0), 5_000);
                peer.send(packet::flow(&[credit])).await?;
            }
            for download in &downloads {
                peer.expect_response(&download.id).await?;
            }
            // A channel beyond the setting would have been noticed.
            let used = peer.look(|all| all.channels.len());
            ensure(used > 1, "all responses used the same channel")
        },
    );
    section.case(
        "ext.settings.advisory",
        "a message that is larger than the suite accepts is not sent",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(7, 3)]).await?;
            let relay = Relay::default();
            let request = Message::ask("relay").payload(interop::msgpack(&relay));
            // It tells somehow that its message could not be sent.
            let reply = peer.ask(&request).await?;
            if let Reply::Code(NOT_IMPLEMENTED) = reply {
                return skip("the endpoint does not provide the action `relay`");
            }
            let calls =
                peer.look(|all| all.messages.iter().filter(|each| !each.is_response).count());
            equal("number of messages", calls, 0)?;
            peer.alive().await
        },
    );
    section.case(
        "ext.ping.use",
        "heartbeats come as often as setting 10 needs them",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(10, 1_500)]).await?;
            peer.ping().await?;
            // A third is 500 ms, and some time on its way.
            peer.within(Duration::from_secs(10), "three heartbeats", |all| {
                (all.heartbeats >= 3).then_some(())
            })
            .await
        },
    );
    section.case(
        "ext.meta.deadline",
        "setting 11 is the deadline of requests without one",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(11, 300)]).await?;
            let request = long();
            peer.send(request.bytes()).await?;
            peer.expect_code(&request.id, 3_843).await?;
            peer.alive().await
        },
    );
    section.case(
        "ext.meta.deadline",
        "setting 11 does not apply to requests with a deadline, files or a stream",
        async |t: Trial| {
            let mut peer = t.extended_with(&[(11, 300)]).await?;
            let requests = [
                lasting(1_200),
                lasting(1_200),
                lasting(1_200).stream(),
                lasting(1_200).file("f", "x"),
            ];
            let script = [
                packet::metadata(&[3, 0xFF, 0xFF, 0xFF, 0xFF]),
                requests[0].bytes(),
                packet::metadata(&[1, 0x30, 0x75]),
                requests[1].bytes(),
                requests[2].bytes(),
                packet::STREAM_END.to_vec(),
                requests[3].bytes(),
            ];
            peer.send(script.concat()).await?;
            for request in &requests {
                peer.expect_code(&request.id, 0).await?;
            }
            peer.alive().await
        },
    );
}
