//! X: the unassigned packet type.

use super::prelude::*;
use crate::case::EXTENSION;

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
    section
}
