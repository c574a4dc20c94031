//! Keeps files and streams from delaying calls.
//!
//! What is written waits in buffers of the system, here and at the peer, until the peer reads it,
//! and calls wait behind it. But the reply to a request shows that the peer has read everything
//! that was sent before the request. So while there are calls that are answered soon, no more bytes
//! of files and streams are under way than a window, which grows as long as calls remain about as
//! quick as they are alone. Calls with large payloads fill the link by themselves: alongside them,
//! as many bytes of files and streams are sent as of everything else. Without calls nothing is
//! held.

use std::time::Duration;

use tokio::time::Instant;

use super::outbox::Place;

/// The pacing of a connection. It is allocated for the first request that is made while files or
/// streams are sent: before that, there is only a place to note.
#[derive(Default)]
pub(crate) enum Pacer {
    /// No files or streams were sent recently.
    #[default]
    Idle,
    /// They were, from this place on, and no request was made since.
    Begun(Place),
    Active(Box<Pacing>),
}

impl Pacer {
    /// Files or streams are sent from here on, unless that was said before.
    pub(crate) fn begin(&mut self, end: Place) {
        if let Self::Idle = self {
            *self = Self::Begun(end);
        }
    }

    /// A request was queued here whose reply may follow as soon as it is read.
    #[inline]
    pub(crate) fn on_request(&mut self, start: Place) {
        match self {
            Self::Idle => {}
            Self::Begun(begun) => {
                let mut pacing = Box::new(Pacing::new(*begun));
                pacing.on_request(start);
                *self = Self::Active(pacing);
            }
            Self::Active(pacing) => pacing.on_request(start),
        }
    }

    #[inline]
    pub(crate) fn active(&self) -> Option<&Pacing> {
        match self {
            Self::Idle | Self::Begun(_) => None,
            Self::Active(pacing) => Some(pacing),
        }
    }

    #[inline]
    pub(crate) fn active_mut(&mut self) -> Option<&mut Pacing> {
        match self {
            Self::Idle | Self::Begun(_) => None,
            Self::Active(pacing) => Some(pacing),
        }
    }
}

/// How far files and streams may be ahead of what the peer is known to have read.
pub(crate) struct Pacing {
    /// Where the newest request begins.
    newest: u64,
    /// The peer has read everything before this place.
    read: Place,
    /// How many bytes of files and streams may be under way beyond that.
    window: Window,
    /// A request whose reply shows how quick calls are.
    probe: Option<Probe>,
    quickest: Option<Quickest>,
    /// Since when files and streams wait.
    held_since: Option<Instant>,
    rest: Rest,
}

struct Window {
    size: u64,
    since: Instant,
    /// Whether files and streams had to wait for it.
    was_full: bool,
}

struct Probe {
    start: Place,
    sent: Instant,
    /// Whether no more was under way before it than the window allows.
    is_in_window: bool,
}

/// The shortest recent time from a request to its reply.
struct Quickest {
    time: Duration,
    since: Instant,
}

/// While replies come too late to show anything, nothing is held.
struct Rest {
    until: Option<Instant>,
    /// How long the next rest will be.
    next: Duration,
    /// Before this position is reached, the clock is not read.
    look_at: u64,
}

/// Enough to fill a quick link, and little enough that calls hardly notice.
const LEAST_WINDOW: u64 = 128 * 1024;
const MOST_WINDOW: u64 = 64 * 1024 * 1024;

/// By how much a window may be exceeded: the bytes that are sent at a time.
const TURN: u64 = 128 * 1024;

/// When calls take more than this many times the shortest time, the window shrinks.
const LEAST_TIMES: u32 = 2;

/// Calls that take longer than this anyway are not disturbed by what waits ahead of them.
const QUICK: Duration = Duration::from_millis(5);

/// After this the shortest time is measured again, as links change.
const QUICKEST_FOR: Duration = Duration::from_secs(10);

/// How long a reply is waited for, in addition to the time that the slowest link worth pacing needs
/// for a window.
const PATIENCE: Duration = Duration::from_millis(2);
const BYTES_PER_MILLISECOND: u64 = 100 * 1024;

const LEAST_REST: Duration = Duration::from_millis(125);
const MOST_REST: Duration = Duration::from_secs(8);
const LOOK_BYTES: u64 = 16 * 1024;

impl Pacing {
    /// Starts at this place.
    fn new(end: Place) -> Self {
        Self {
            newest: end.position,
            read: end,
            window: Window::new(LEAST_WINDOW, Instant::now()),
            probe: None,
            quickest: None,
            held_since: None,
            rest: Rest {
                until: None,
                next: LEAST_REST,
                look_at: end.position,
            },
        }
    }

    /// Whether calls are made whose replies show how far the peer has read.
    pub(crate) fn is_beside_calls(&self) -> bool {
        self.newest > self.read.position && self.rest.until.is_none()
    }

    /// Whether files and streams have to wait when everything before this place is under way.
    pub(crate) fn is_holding(&self, end: Place) -> bool {
        let (sent, allowed) = self.ahead(end);
        self.is_beside_calls() && sent >= allowed
    }

    /// How many bytes of files and streams are under way, and how many may be.
    fn ahead(&self, end: Place) -> (u64, u64) {
        let content = end.content - self.read.content;
        let others = (end.position - self.read.position) - content;
        (content, self.window.size.max(others))
    }

    /// Files and streams have something to send, and wait.
    pub(crate) fn on_held(&mut self) {
        self.window.was_full = true;
        self.held_since.get_or_insert_with(Instant::now);
    }

    /// A request was queued here whose reply may follow as soon as it is read.
    pub(crate) fn on_request(&mut self, start: Place) {
        self.newest = start.position;
        if self.probe.is_some() || start.position < self.rest.look_at {
            return;
        }
        let sent = Instant::now();
        if self.rest.until.is_some_and(|until| sent < until) {
            self.rest.look_at = start.position + LOOK_BYTES;
        } else {
            let (content, allowed) = self.ahead(start);
            self.rest.until = None;
            self.probe = Some(Probe {
                start,
                sent,
                is_in_window: content <= allowed + TURN,
            });
        }
    }

    /// The request that begins here was answered.
    pub(crate) fn on_reply(&mut self, start: Place) {
        self.read = self.read.max(start);
        let Some(probe) = self.probe.take_if(|probe| probe.start <= start) else {
            return;
        };
        self.held_since = None;
        // A later request may be answered first: then the handler of the earlier one is slow, which
        // says nothing about the link.
        if probe.start == start {
            self.on_sample(&probe, Instant::now());
        }
    }

    fn on_sample(&mut self, probe: &Probe, now: Instant) {
        let time = now - probe.sent;
        let least = self.least(time, now);
        // The effect of a window shows in requests that are sent after it was set.
        let is_of_window = probe.is_in_window && probe.sent >= self.window.since;
        if least > QUICK {
            // Slow in itself, or because of what waited ahead of it.
            match self.window.size {
                LEAST_WINDOW if is_of_window => self.rest(now),
                LEAST_WINDOW => {}
                _ => self.window = Window::new(LEAST_WINDOW, now),
            }
        } else if time > LEAST_TIMES * least {
            if is_of_window {
                self.window = Window::new(self.window.size - self.window.size / 4, now);
            }
        } else {
            self.rest.next = LEAST_REST;
            if is_of_window && self.window.was_full {
                self.window = Window::new(self.window.size + self.window.size / 4, now);
            }
        }
    }

    /// The least time, with this one.
    fn least(&mut self, time: Duration, now: Instant) -> Duration {
        if let Some(known) = &self.quickest {
            let is_stale = now - known.since >= QUICKEST_FOR;
            if !is_stale && known.time <= time {
                return known.time;
            }
            if is_stale {
                // Measured with as little before it as there can be.
                self.window = Window::new(LEAST_WINDOW, now);
            }
        }
        self.quickest = Some(Quickest { time, since: now });
        time
    }

    /// Until when files and streams wait at most.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let trip = self
            .quickest
            .as_ref()
            .map_or(QUICK, |known| known.time.min(QUICK));
        let window = Duration::from_millis(self.window.size / BYTES_PER_MILLISECOND);
        Some(self.held_since? + PATIENCE + LEAST_TIMES * trip + window)
    }

    /// Holds nothing when that time has come.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.rest(now);
        }
    }

    fn rest(&mut self, now: Instant) {
        self.probe = None;
        self.held_since = None;
        self.rest.until = Some(now + self.rest.next);
        self.rest.next = (2 * self.rest.next).min(MOST_REST);
    }
}

impl Window {
    fn new(size: u64, since: Instant) -> Self {
        Self {
            size: size.clamp(LEAST_WINDOW, MOST_WINDOW),
            since,
            was_full: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);
    const MICROSECOND: Duration = Duration::from_micros(1);

    /// A way to a peer. A socket takes what the way carries in ten milliseconds.
    struct Way {
        /// In a microsecond.
        bytes: u64,
        /// There and back, without what waits.
        trip: Duration,
        handler: Duration,
        /// From one call to the next.
        pause: Duration,
        /// What a call has.
        call_bytes: u64,
        /// No more calls wait for replies.
        calls: usize,
    }

    const NEAR: Way = Way {
        bytes: 1000,
        trip: Duration::from_micros(50),
        handler: Duration::ZERO,
        pause: Duration::from_micros(20),
        call_bytes: 64,
        calls: usize::MAX,
    };

    /// What came of a while.
    struct Outcome {
        /// What was read, as a share of what the way carries.
        share: f64,
        /// What was sent of streams.
        stream_share: f64,
        slowest_call: Duration,
    }

    /// Streams that never end, with calls next to them.
    struct Trial {
        pacing: Pacing,
        queued: Place,
        read: u64,
        unread: VecDeque<Call>,
        unanswered: VecDeque<(Call, Instant)>,
    }

    struct Call {
        start: Place,
        sent: Instant,
    }

    impl Trial {
        const STEP: Duration = Duration::from_micros(10);
        const CHUNK: u64 = 64 * 1024;

        fn new() -> Self {
            Self {
                pacing: Pacing::new(Place::default()),
                queued: Place::default(),
                read: 0,
                unread: VecDeque::new(),
                unanswered: VecDeque::new(),
            }
        }

        async fn run(&mut self, way: &Way, time: Duration) -> Outcome {
            let (begin, read, content) = (Instant::now(), self.read, self.queued.content);
            let (mut next, mut slowest_call) = (begin, Duration::ZERO);
            while begin.elapsed() < time {
                let is_call = self.unread.len() + self.unanswered.len() < way.calls;
                if next <= Instant::now() && is_call {
                    self.call(way.call_bytes);
                    next += way.pause;
                }
                self.write(way);
                self.read_calls(way);
                slowest_call = slowest_call.max(self.answer());
                tokio::time::advance(Self::STEP).await;
            }
            let carried = way.bytes as f64 * time.as_micros() as f64;
            Outcome {
                share: (self.read - read) as f64 / carried,
                stream_share: (self.queued.content - content) as f64 / carried,
                slowest_call,
            }
        }

        fn call(&mut self, bytes: u64) {
            let (start, sent) = (self.queued, Instant::now());
            self.pacing.on_request(start);
            self.unread.push_back(Call { start, sent });
            self.queued.position += bytes;
        }

        /// Copying takes time, too.
        fn write(&mut self, way: &Way) {
            self.pacing.on_deadline(Instant::now());
            if self.pacing.is_holding(self.queued) {
                self.pacing.on_held();
            } else if self.queued.position - self.read < 10_000 * way.bytes {
                self.queued.position += Self::CHUNK;
                self.queued.content += Self::CHUNK;
            }
        }

        fn read_calls(&mut self, way: &Way) {
            let step = way.bytes * Self::STEP.as_micros() as u64;
            self.read = self.queued.position.min(self.read + step);
            let is_read = |call: &mut Call| call.start.position < self.read;
            while let Some(call) = self.unread.pop_front_if(is_read) {
                let answered = Instant::now() + way.trip + way.handler;
                self.unanswered.push_back((call, answered));
            }
        }

        /// Gives how long the slowest of them took.
        fn answer(&mut self) -> Duration {
            let mut slowest = Duration::ZERO;
            let now = Instant::now();
            while let Some((call, _)) = self.unanswered.pop_front_if(|(_, at)| *at <= now) {
                self.pacing.on_reply(call.start);
                slowest = slowest.max(now - call.sent);
            }
            slowest
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_on_a_near_way_wait_for_a_window_and_not_for_all_that_the_system_takes() {
        let mut trial = Trial::new();
        trial.run(&NEAR, 50 * MILLISECOND).await;
        let then = trial.run(&NEAR, 100 * MILLISECOND).await;
        let slowest = then.slowest_call;
        assert!(slowest <= 300 * MICROSECOND, "{slowest:?}");
        assert!(then.share > 0.9, "{}", then.share);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_have_their_half_beside_calls_that_fill_the_way() {
        for calls in [1, 4, 12] {
            let large = Way {
                pause: Duration::ZERO,
                call_bytes: 272 * 1024,
                calls,
                ..NEAR
            };
            let mut trial = Trial::new();
            trial.run(&large, 50 * MILLISECOND).await;
            let then = trial.run(&large, 100 * MILLISECOND).await;
            assert!(
                then.stream_share > 0.4,
                "{} next to {calls}",
                then.stream_share
            );
            assert!(then.share > 0.95, "{}", then.share);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_grows_to_what_a_wide_way_holds() {
        let wide = Way {
            bytes: 1250,
            trip: 2 * MILLISECOND,
            pause: 50 * MICROSECOND,
            ..NEAR
        };
        let mut trial = Trial::new();
        trial.run(&wide, 100 * MILLISECOND).await;
        let then = trial.run(&wide, 100 * MILLISECOND).await;
        assert!(trial.pacing.window.size > 2 * 1024 * 1024);
        assert!(then.share > 0.95, "{}", then.share);
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_was_full_before_its_first_call_is_not_taken_for_a_slow_one() {
        let narrow = Way { bytes: 125, ..NEAR };
        let mut trial = Trial::new();
        while trial.queued.content < 1000 * 1000 {
            trial.write(&narrow);
        }
        trial.run(&narrow, 50 * MILLISECOND).await;
        let then = trial.run(&narrow, 50 * MILLISECOND).await;
        let slowest = then.slowest_call;
        assert!(slowest <= 2 * MILLISECOND, "{slowest:?}");
        assert!(then.share > 0.95, "{}", then.share);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_calls_and_far_ways_hold_next_to_nothing() {
        let slow = Way {
            handler: 50 * MILLISECOND,
            pause: 500 * MICROSECOND,
            ..NEAR
        };
        let far = Way {
            bytes: 100,
            trip: 50 * MILLISECOND,
            ..slow
        };
        for way in [slow, far] {
            let mut trial = Trial::new();
            let all = trial.run(&way, 1000 * MILLISECOND).await;
            assert!(all.share > 0.93, "{}", all.share);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_that_is_never_answered_holds_once_and_for_milliseconds() {
        let mut trial = Trial::new();
        trial.call(64);
        let never = Way {
            pause: 1000 * MILLISECOND,
            handler: 1000 * MILLISECOND,
            ..NEAR
        };
        let all = trial.run(&never, 200 * MILLISECOND).await;
        assert!(all.share > 0.9, "{}", all.share);
    }

    #[tokio::test(start_paused = true)]
    async fn the_least_time_is_measured_anew() {
        let mut trial = Trial::new();
        trial.run(&NEAR, 20 * MILLISECOND).await;
        let farther = Way {
            trip: MILLISECOND,
            ..NEAR
        };
        tokio::time::advance(QUICKEST_FOR).await;
        trial.run(&farther, 300 * MILLISECOND).await;
        let then = trial.run(&farther, 50 * MILLISECOND).await;
        assert!(then.share > 0.9, "{}", then.share);
    }
}
