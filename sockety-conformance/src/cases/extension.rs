//! X: packets that the protocol does not assign.

use super::prelude::*;
use crate::case::EXTENSION;

pub fn section() -> Section {
    let mut section = Section::new(EXTENSION, "Extension");
    section.case(
        "packet.unknown",
        "nothing is used that was not offered",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let (raw, download) = (
                Message::ask("raw").payload("plain"),
                interop::download(&[("file", 100)]),
            );
            for message in [raw, download] {
                peer.ask(&message).await?;
            }
            // A packet of type 1111 would have been noticed. Bits 2 and 3 of the header are zeros.
            let first = peer.look(|all| all.header.map(|(first, _)| first & 0x0C));
            equal(
                "bits without a meaning in the connection header",
                first,
                Some(0),
            )?;
            peer.alive().await
        },
    );
    section.case(
        "packet.unknown",
        "a packet of no type ends the connection",
        async |t: Trial| {
            for first in [0xF0, 0xF7, 0xFF] {
                t.peer().await?.expect_end_after([first, 0]).await?;
            }
            Ok(())
        },
    );
    section
}
