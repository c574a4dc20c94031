//! Counts events that are harmless now and then, but an attack in large numbers.

use std::sync::Arc;

use sockety_codec::{Decoder, Tolerated};

use super::bucket::Bucket;
use crate::{engine::shared::Shared, error::limit::LimitExceeded};

pub(crate) struct AbuseMeter {
    shared: Arc<Shared>,
    useless: Bucket,
    refused: Bucket,
    aborted: Bucket,
    dropped: Bucket,
    /// What the decoder had tolerated and dropped at the last check.
    tolerated: Tolerated,
    drained: u64,
    exceeded: Option<LimitExceeded>,
}

impl AbuseMeter {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let options = &shared.options;
        Self {
            shared: Arc::clone(shared),
            useless: Bucket::new(options.useless_packets),
            refused: Bucket::new(options.refused_messages),
            aborted: Bucket::new(options.aborted_messages),
            dropped: Bucket::new(options.dropped_content),
            tolerated: Tolerated::default(),
            drained: 0,
            exceeded: None,
        }
    }

    /// A message was refused because it breaks a limit or a rule.
    pub(crate) fn on_refused(&mut self) {
        self.shared.counters.count(|all| &all.refused_messages);
        if !self.refused.take(1) {
            self.exceeded = Some(LimitExceeded::RefusedMessages);
        }
    }

    /// The peer aborted messages or responses.
    pub(crate) fn on_aborted(&mut self, count: u64) {
        self.shared.counters.add(|all| &all.aborted_messages, count);
        if !self.aborted.take(count) {
            self.exceeded = Some(LimitExceeded::AbortedMessages);
        }
    }

    /// A reply arrived that no request waits for or has waited for.
    pub(crate) fn on_unexpected_reply(&mut self) {
        self.shared.counters.count(|all| &all.unexpected_replies);
        self.on_useless(1);
    }

    /// Content was dropped because nobody reads it.
    pub(crate) fn on_dropped(&mut self, bytes: u64) {
        self.shared.counters.add(|all| &all.dropped_bytes, bytes);
        if !self.dropped.take(bytes) {
            self.exceeded = Some(LimitExceeded::DroppedContent);
        }
    }

    /// More than a quarter of the channels are occupied by messages that make no progress.
    pub(crate) fn on_stalled(&mut self) {
        self.exceeded = Some(LimitExceeded::StalledMessages);
    }

    /// Called after each read and at each tick. Fails if a limit was exceeded.
    pub(crate) fn check(&mut self, decoder: &Decoder) -> Result<(), LimitExceeded> {
        if *decoder.tolerated() != self.tolerated {
            self.on_tolerated(*decoder.tolerated());
        }
        let drained = decoder.drained();
        if drained != self.drained {
            self.on_dropped(drained - self.drained);
            self.drained = drained;
        }
        self.exceeded.map_or(Ok(()), Err)
    }

    fn on_tolerated(&mut self, now: Tolerated) {
        let before = std::mem::replace(&mut self.tolerated, now);
        let counters = &self.shared.counters;
        let bits = now.reserved_bits - before.reserved_bits;
        counters.add(|all| &all.reserved_bits, bits);
        let empty = now.empty_packets - before.empty_packets;
        counters.add(|all| &all.empty_packets, empty);
        let switches = now.needless_switches - before.needless_switches;
        counters.add(|all| &all.needless_switches, switches);
        let heartbeats = now.heartbeats - before.heartbeats;
        counters.add(|all| &all.heartbeats, heartbeats);
        let go_aways = now.repeated_go_aways - before.repeated_go_aways;
        counters.add(|all| &all.repeated_go_aways, go_aways);
        let aborts = now.aborts_without_message - before.aborts_without_message;
        counters.add(|all| &all.aborts_without_message, aborts);
        // Reserved bits are not counted as useless, because they come in packets that are useful.
        self.on_useless(empty + switches + heartbeats + go_aways + aborts);
        self.on_aborted(now.aborted_headers - before.aborted_headers);
    }

    fn on_useless(&mut self, packets: u64) {
        if !self.useless.take(packets) {
            self.exceeded = Some(LimitExceeded::UselessPackets);
        }
    }
}
