/// Counters of needless things that a peer has sent: each is harmless once, and an attack in large
/// numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerated {
    /// Bytes in which reserved bits were set (`packet.reserved`, `header.reserved`,
    /// `head.reserved`, `head.file.reserved`).
    pub reserved_bits: u64,
    /// Packets with a size field of zero (`packet.empty.read`).
    pub empty_packets: u64,
    /// Switches to the channel that was current already, or right after another switch
    /// (`packet.switch.needless`).
    pub needless_switches: u64,
    /// Aborts on a channel where nothing was in progress (`content.abort.idle`).
    pub aborts_without_message: u64,
    /// Headers dropped by an abort before they could be announced (`content.abort`).
    pub aborted_headers: u64,
    /// Heartbeats (`packet.heartbeat`).
    pub heartbeats: u64,
    /// Go Away packets after the first (`packet.goaway`).
    pub repeated_go_aways: u64,
    /// Control packets of a kind that is not known (`ext.control.unknown`).
    pub unknown_controls: u64,
}

impl Tolerated {
    /// The sum of all counters.
    pub fn total(&self) -> u64 {
        [
            self.reserved_bits,
            self.empty_packets,
            self.needless_switches,
            self.aborts_without_message,
            self.aborted_headers,
            self.heartbeats,
            self.repeated_go_aways,
            self.unknown_controls,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}
