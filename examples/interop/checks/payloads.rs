//! Payloads of all sizes.

use sockety::message::Draft;

use super::{Checks, equal_bytes, response};
use crate::content;

const MIB: usize = 1024 * 1024;

pub(super) fn add(checks: &mut Checks) {
    // Around the limits of the size fields, and of what implementations write in one packet.
    for size in [0, 1, 255, 256, 65_535, 65_536, MIB, 4 * MIB + 1, 20 * MIB] {
        checks.add(
            format!("raw payload of {size} bytes"),
            move |connection| async move {
                let payload = content::bytes(size);
                let message = Draft::new("raw").data().create(payload.clone());
                let response = response(&connection, message).await?;
                equal_bytes(response.payload(), &payload)
            },
        );
    }
    checks.add(
        "raw without a payload, a hundred times",
        |connection| async move {
            let raw = Draft::new("raw");
            for _ in 0..100 {
                let response = response(&connection, &raw).await?;
                equal_bytes(response.payload(), &[])?;
            }
            Ok(())
        },
    );
}
