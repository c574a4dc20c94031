/// Counters of what a peer sends without need: each is harmless once, and an attack in masses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerated {
    /// Bits without a meaning that were set (`packet.reserved`, `header.reserved`,
    /// `head.reserved`, `head.file.reserved`): bytes with at least one of them.
    pub reserved_bits: u64,
    /// Packets with a size field of zero (`packet.empty.read`).
    pub empty_packets: u64,
    /// Switches to the channel that was current, or right after another switch
    /// (`packet.switch.needless`).
    pub needless_switches: u64,
    /// Aborts on a channel where nothing was in progress (`content.abort.idle`).
    pub aborts_without_message: u64,
    /// Headers dropped by an abort before they could be announced (`content.abort`).
    pub aborted_headers: u64,
    /// Heartbeats (`packet.heartbeat`).
    pub heartbeats: u64,
    /// Announcements that the peer goes away, beyond the first (`packet.goaway`).
    pub repeated_go_aways: u64,
}

impl Tolerated {
    /// All of them together.
    pub fn total(&self) -> u64 {
        [
            self.reserved_bits,
            self.empty_packets,
            self.needless_switches,
            self.aborts_without_message,
            self.aborted_headers,
            self.heartbeats,
            self.repeated_go_aways,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}
