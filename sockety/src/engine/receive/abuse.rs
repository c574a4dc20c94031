//! Counts events that are harmless now and then, but an attack in large numbers.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use sockety_codec::{Decoder, Tolerated};
use tokio::time::{Instant, Sleep, sleep_until};

use super::bucket::Bucket;
use crate::{config::rate::Rate, engine::shared::Shared, error::limit::LimitExceeded};

pub(crate) struct AbuseMeter {
    shared: Arc<Shared>,
    /// `None` until the first such event: most connections have none.
    buckets: Option<Box<Buckets>>,
    /// What the decoder had tolerated and dropped at the last check.
    tolerated: Tolerated,
    drained: u64,
    /// Until when nothing is read, as too much came that nobody wants.
    paused_until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    exceeded: Option<LimitExceeded>,
}

/// How many pings are no useless packets: more than anybody needs who sends one at a time.
const PINGS: Rate = Rate::new(16, 10);

struct Buckets {
    pings: Bucket,
    useless: Bucket,
    refused: Bucket,
    aborted: Bucket,
    dropped: Bucket,
}

impl AbuseMeter {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            buckets: None,
            tolerated: Tolerated::default(),
            drained: 0,
            paused_until: None,
            timer: None,
            exceeded: None,
        }
    }

    #[cold]
    fn buckets(&mut self) -> &mut Buckets {
        let options = &self.shared.options;
        self.buckets.get_or_insert_with(|| {
            Box::new(Buckets {
                pings: Bucket::new(PINGS),
                useless: Bucket::new(options.useless_packets),
                refused: Bucket::new(options.refused_messages),
                aborted: Bucket::new(options.aborted_messages),
                dropped: Bucket::new(options.dropped_content),
            })
        })
    }

    /// A message was refused because it breaks a limit or a rule.
    pub(crate) fn on_refused(&mut self) {
        self.shared.counters.count(|all| &all.refused_messages);
        let pause = self.buckets().refused.charge(1);
        self.pause_for(pause);
    }

    /// The peer aborted messages or responses.
    pub(crate) fn on_aborted(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        self.shared.counters.add(|all| &all.aborted_messages, count);
        let pause = self.buckets().aborted.charge(count);
        self.pause_for(pause);
    }

    /// A reply arrived that no request waits for or has waited for.
    pub(crate) fn on_unexpected_reply(&mut self) {
        self.shared.counters.count(|all| &all.unexpected_replies);
        // They may be late: of the requests that were given up, only the newest are remembered.
        let pause = self.buckets().refused.charge(1);
        self.pause_for(pause);
    }

    /// Content was dropped because nobody reads it.
    pub(crate) fn on_dropped(&mut self, bytes: u64) {
        self.shared.counters.add(|all| &all.dropped_bytes, bytes);
        let pause = self.buckets().dropped.charge(bytes);
        self.pause_for(pause);
    }

    /// The peer exceeded a limit.
    pub(crate) fn exceed(&mut self, limit: LimitExceeded) {
        self.exceeded = Some(limit);
    }

    fn pause_for(&mut self, pause: Duration) {
        if pause > Duration::ZERO {
            let until = Instant::now() + pause;
            self.paused_until = Some(self.paused_until.map_or(until, |known| known.max(until)));
            self.shared.counters.count(|all| &all.throttled);
        }
    }

    /// Whether reading may have to wait.
    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// Ready when reading may go on. An honest peer may send what this side has to refuse or drop:
    /// uploads to a limit it does not know, a download whose caller has gone, the remains of calls
    /// that were given up. It is slowed down, and loses nothing.
    pub(crate) fn poll_resume(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.paused_until else {
            return Poll::Ready(());
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(cx));
        (self.paused_until, self.timer) = (None, None);
        Poll::Ready(())
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
        let controls = now.unknown_controls - before.unknown_controls;
        self.on_useless(empty + switches + heartbeats + go_aways + aborts + controls);
        self.on_aborted(now.aborted_headers - before.aborted_headers);
    }

    /// The peer asks whether this side is there. Some may; then it is a useless packet.
    // r[impl ext.ping]
    pub(crate) fn on_ping(&mut self) {
        if !self.buckets().pings.take(1) {
            self.on_useless(1);
        }
    }

    pub(crate) fn on_useless(&mut self, packets: u64) {
        if packets > 0 && !self.buckets().useless.take(packets) {
            let Rate { burst, per_second } = self.shared.options.useless_packets.counted();
            self.exceeded = Some(LimitExceeded::UselessPackets { burst, per_second });
        }
    }
}
