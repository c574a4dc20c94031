//! 12: Data.

use std::fs;

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(12, "Data");
    for (form, width) in ["one byte", "two bytes", "three bytes", "four bytes"]
        .iter()
        .enumerate()
    {
        section.case("packet.data", format!("a size of {width}"), move |t| {
            echo(t, vec![packet::data_as(form, b"data")], b"data".to_vec())
        });
    }
    section.case("content.data.exact", "a payload byte by byte", |t| {
        let payload = content(300);
        echo(
            t,
            payload.chunks(1).map(packet::data).collect(),
            payload.clone(),
        )
    });
    section.case(
        "content.data.exact",
        "more bytes than announced end the connection",
        async |t: Trial| {
            let open = || Message::ask("raw").announced(2).first();
            t.peer()
                .await?
                .expect_end_after([open(), packet::data(b"abc")].concat())
                .await?;
            let later = [open(), packet::data(b"a"), packet::data(b"bc")].concat();
            t.peer().await?.expect_end_after(later).await
        },
    );
    section.case(
        "content.data.announced",
        "a payload that was not announced ends the connection",
        async |t: Trial| {
            t.peer().await?.expect_end_after(packet::data(b"x")).await?;
            let open = Message::ask("stream-sum").stream();
            t.peer()
                .await?
                .expect_end_after([open.first(), packet::data(b"x")].concat())
                .await
        },
    );
    section.case("packet.empty.read", "an empty packet has no effect", |t| {
        let packets = [&b""[..], b"da", b"", b"ta"].map(packet::data);
        echo(t, packets.to_vec(), b"data".to_vec())
    });
    section.case(
        "content.data.announced",
        "bytes after the end of the payload end the connection",
        async |t: Trial| {
            let open = Message::ask("everything").announced(2).stream();
            let late = [open.first(), packet::data(b"ab"), packet::data(b"c")].concat();
            t.peer().await?.expect_end_after(late).await
        },
    );
    section.case(
        "F3",
        "a packet of 4 GiB of which 1 MiB arrives does not use more memory",
        async |t: Trial| {
            let before = t.settings.pid.map(memory).transpose()?;
            let mut peer = t.peer().await?;
            let message = Message::ask("raw").announced(u64::from(u32::MAX));
            peer.send(
                [
                    message.first(),
                    packet::data_begun(u32::MAX.into()),
                    content(1 << 20),
                ]
                .concat(),
            )
            .await?;
            // A client has no second connection.
            if !t.settings.target.is_client() {
                t.expect_life().await?;
            }
            if let (Some(pid), Some(before)) = (t.settings.pid, before) {
                let grown = memory(pid)?.saturating_sub(before);
                ensure(
                    grown < 2 << 20,
                    format!("the endpoint allocated {grown} KiB of memory"),
                )?;
            }
            Ok(())
        },
    );
    section
}

async fn echo(t: Trial, packets: Vec<Vec<u8>>, payload: Vec<u8>) -> Outcome {
    let mut peer = t.peer().await?;
    let message = Message::ask("raw").announced(payload.len() as u64);
    peer.send(message.first()).await?;
    for packet in packets {
        peer.send(packet).await?;
    }
    ensure_same(&peer.expect_response(&message.id).await?.payload, &payload)?;
    peer.alive().await
}

/// The virtual size of a process in KiB, including memory that it has not touched.
fn memory(pid: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let size = status.ok().and_then(|status| {
        let line = status.lines().find(|line| line.starts_with("VmSize:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    });
    match size {
        Some(size) => Ok(size),
        None => fail(format!("cannot read the memory size of process {pid}")),
    }
}
