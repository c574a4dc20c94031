//! The clocks of a connection: each wait for the peer has a limit.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sockety_codec::extension::Settings;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    leaving::LINGER_SECONDS,
    state::{Phase, State},
    ticks,
};
use crate::{
    config::options::Options,
    error::{
        connection::{ClosedBy, ConnectionError},
        limit::LimitExceeded,
    },
};

/// Measures for how long things have not happened.
///
/// It ticks once a second while anything has a deadline, and deadlines are counted in ticks. The
/// driver of a quiet connection sleeps until a heartbeat is due, or until the peer has been silent
/// for too long. That silence is measured by the clock, but a tick that is far too late adds no
/// more than [`LATE`] to it: if this process was suspended, the peer is read before it is judged.
pub(crate) struct Clocks {
    timer: Option<Pin<Box<Sleep>>>,
    /// For which reason the next tick was planned; `None` if none is.
    pace: Option<Pace>,
    limits: Limits,
    /// Since when nothing was written, as observed by ticks.
    quiet_since: Instant,
    /// Heartbeats for a peer that needs them more often than this side sends them by itself.
    beats: Option<Box<Beats>>,
    /// For how long nothing was received, up to `looked`.
    silent: Duration,
    looked: Instant,
    /// For how many ticks the peer took nothing of what waits; and for how many of a backlog of
    /// replies.
    stalled: u32,
    backlogged: u32,
    /// For how many ticks the bytes last taken from files and streams have waited to be written.
    filled: u32,
    /// For how many ticks the peer has not been authorized.
    unauthorized: u32,
    /// Ticks since the end began; and since its present phase began.
    leaving: u32,
    ending: u32,
    is_draining: bool,
    /// How many bytes were written before the last tick, including the heartbeat of that tick.
    written: u64,
    /// Whether anything was written between the last two ticks. Then one more tick follows, which
    /// returns memory to the allocator.
    was_active: bool,
    /// Whether the socket did not take all that was to be written before the last tick.
    was_full: bool,
    has_received: bool,
    pub(crate) has_peer_ended: bool,
}

/// The soonest tick comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    /// Something has a deadline.
    Busy,
    /// Something was written not long ago.
    Active,
    Quiet,
}

/// What is due.
pub(crate) enum Due {
    /// A tick, with the time that it adds to a silence of the peer.
    Tick(Duration),
    /// A heartbeat between two ticks.
    Beat,
}

/// Heartbeats at a fixed pace, whatever else is written: a second is too long for some peers, and ticks
/// see only that something was written, not when.
struct Beats {
    pause: Duration,
    next: Instant,
    /// When the tick is due that the timer is to wait for after the next heartbeat.
    tick: Option<Instant>,
}

impl Beats {
    /// What the timer waits for.
    fn plan(&mut self, tick: Instant) -> Instant {
        let tick = self.tick.map_or(tick, |planned| planned.min(tick));
        self.tick = Some(tick);
        tick.min(self.next)
    }

    /// Whether it has waited for the tick.
    fn is_tick(&mut self, now: Instant) -> bool {
        self.tick.take_if(|tick| *tick <= now).is_some()
    }
}

/// The limits of [`Options`], in whole seconds.
struct Limits {
    heartbeat: Duration,
    idle: Option<Duration>,
    header: u32,
    /// Of a peer that sends heartbeats, and of one that may send none.
    write_stall: u32,
    silent_write_stall: u32,
    authorization: u32,
}

/// What the driver sees at a tick.
pub(crate) struct TickInput {
    pub(crate) is_backlogged: bool,
    pub(crate) is_authorized: bool,
    /// Nothing is read for now, by this side's own decision.
    pub(crate) is_paused: bool,
    /// It pauses until requests that wait have had their turn, which needs room for replies.
    pub(crate) is_held_back: bool,
    pub(crate) is_flushed: bool,
    /// The peer is known to send heartbeats.
    pub(crate) sends_heartbeats: bool,
    /// For how many ticks the oldest header has been arriving.
    pub(crate) oldest_header: u32,
    /// A message is arriving, or a handler has not ended.
    pub(crate) is_at_work: bool,
}

/// How fast the peer takes files and streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerPace {
    Usual,
    /// The bytes taken last waited to be written for longer than a tick.
    Slow,
}

/// How long a peer may take nothing, and say nothing. One that sends heartbeats would be heard from
/// if it were alive. One that sends none may read slowly: its system answers probes of the closed
/// window, of which this process learns nothing. What waits for it is bounded.
const WRITE_STALL: Duration = Duration::from_secs(30);
const SILENT_WRITE_STALL: Duration = Duration::from_secs(300);

const SECOND: Duration = Duration::from_secs(1);

/// The pause before the tick after a write, so that many writes share one.
const ACTIVE: Duration = Duration::from_secs(5);

/// The most time that a late tick adds to a silence.
const LATE: Duration = Duration::from_secs(5);

/// How long reading may pause because of a backlog of replies.
const BACKLOG_SECONDS: u32 = 1;

/// How long after Go Away messages are still executed: the peer may have sent them before it knew.
const LATE_SECONDS: u32 = 2;

impl Clocks {
    pub(crate) fn new(options: &Options) -> Self {
        let now = Instant::now();
        Self {
            timer: None,
            pace: None,
            limits: Limits::of(options),
            quiet_since: now,
            beats: None,
            silent: Duration::ZERO,
            looked: now,
            stalled: 0,
            backlogged: 0,
            filled: 0,
            unauthorized: 0,
            leaving: 0,
            ending: 0,
            is_draining: false,
            written: 0,
            was_active: false,
            was_full: false,
            has_received: false,
            has_peer_ended: false,
        }
    }

    /// Ready when a tick or a heartbeat is due.
    pub(crate) fn poll_due(
        &mut self,
        cx: &mut Context<'_>,
        is_busy: bool,
        written: u64,
    ) -> Poll<Due> {
        // After a long pause it would be unknown how long ago that was, so it is noted at once.
        if self.pace == Some(Pace::Quiet) && std::mem::take(&mut self.has_received) {
            self.silent = Duration::ZERO;
            self.looked = Instant::now();
        }
        let pace = self.pace(is_busy, written);
        let is_sooner = self.pace.is_none_or(|planned| pace < planned);
        let plan = is_sooner.then(|| self.plan(pace));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(SECOND)));
        if let Some(due) = plan {
            timer.as_mut().reset(due);
        } else if !timer.is_elapsed() {
            // The timer has the waker of this task since it was last polled.
            return Poll::Pending;
        }
        ready!(timer.as_mut().poll(cx));
        self.pace = None;
        let now = Instant::now();
        if self.beats.as_mut().is_some_and(|beats| !beats.is_tick(now)) {
            return Poll::Ready(Due::Beat);
        }
        let is_late = now.duration_since(timer.deadline()) > LATE;
        let since = now.duration_since(std::mem::replace(&mut self.looked, now));
        let since = if is_late { since.min(LATE) } else { since };
        Poll::Ready(Due::Tick(since))
    }

    fn pace(&self, is_busy: bool, written: u64) -> Pace {
        if is_busy {
            Pace::Busy
        } else if self.was_active || self.has_written(written) {
            Pace::Active
        } else {
            Pace::Quiet
        }
    }

    fn plan(&mut self, pace: Pace) -> Instant {
        self.pace = Some(pace);
        let now = Instant::now();
        let tick = now
            + match pace {
                Pace::Busy => SECOND,
                Pace::Active => self.pause(now).min(ACTIVE),
                Pace::Quiet => self.pause(now),
            };
        match &mut self.beats {
            None => tick,
            Some(beats) => beats.plan(tick),
        }
    }

    /// The time until something is due on a quiet connection.
    fn pause(&self, now: Instant) -> Duration {
        let quiet = now.duration_since(self.quiet_since);
        let heartbeat = self.limits.heartbeat.saturating_sub(quiet);
        let idle = self.limits.idle.filter(|_| !self.has_peer_ended);
        let silence = idle.map(|idle| idle.saturating_sub(self.silent));
        silence
            .map_or(heartbeat, |silence| heartbeat.min(silence))
            .max(SECOND)
    }

    /// The peer has said after which time without a byte it takes this side for dead: it hears from it
    /// three times as often. That is at most three times a second, as a setting is one second at least.
    // r[impl ext.ping.use]
    pub(crate) fn on_settings(&mut self, settings: &Settings) {
        let pause = Duration::from_millis(settings.idle_millis() / 3);
        if !pause.is_zero() && pause < self.limits.heartbeat {
            self.beats = Some(Box::new(Beats {
                pause,
                next: Instant::now() + pause,
                tick: None,
            }));
            // The timer waits for the next tick alone.
            self.pace = None;
        }
    }

    /// A heartbeat is due. None is sent while the peer takes nothing of what waits: that says as much.
    pub(crate) fn on_beat(&mut self, state: &mut State) {
        let now = Instant::now();
        if let Some(beats) = &mut self.beats {
            beats.next = now + beats.pause;
        }
        let is_up = matches!(state.phase, Phase::Open | Phase::Draining { .. });
        if !is_up || state.outbox.waiting() > 0 {
            return;
        }
        self.quiet_since = now;
        self.heartbeat(state);
    }

    /// A heartbeat is no activity: it counts as written already, so that it plans no tick.
    fn heartbeat(&mut self, state: &mut State) {
        let was_quiet = !self.has_written(state.outbox.written());
        state.outbox.heartbeat();
        if was_quiet {
            self.written = state.outbox.end();
        }
    }

    pub(crate) fn on_received(&mut self) {
        self.has_received = true;
    }

    /// Content is about to be taken to be written. Returns how fast the peer took the last.
    pub(crate) fn begin_fill(&mut self) -> PeerPace {
        match std::mem::take(&mut self.filled) {
            0 => PeerPace::Usual,
            _ => PeerPace::Slow,
        }
    }

    /// Whether something was handed to the socket since the last tick.
    pub(crate) fn has_written(&self, written: u64) -> bool {
        written > self.written
    }

    /// Whether a message that arrives now was sent after the peer knew that this side is going
    /// away.
    pub(crate) fn is_late(&self) -> bool {
        self.leaving > LATE_SECONDS
    }

    /// Fails if anything has taken too long. Queues a heartbeat when one is due.
    ///
    /// Called under the connection's lock, which the caller releases before it acts on the result.
    pub(crate) fn on_tick(
        &mut self,
        since: Duration,
        input: &TickInput,
        state: &mut State,
    ) -> Result<(), ConnectionError> {
        let written = state.outbox.written();
        let is_waiting = state.outbox.waiting() > 0 || !input.is_flushed;
        let has_written = self.has_written(written);
        self.written = written;
        self.was_active = has_written;
        self.filled += u32::from(is_waiting);
        // The socket was full: if it takes more now, the peer has acknowledged some. What was queued
        // since the last write says nothing about the socket.
        let was_full = std::mem::replace(&mut self.was_full, !input.is_flushed);
        let has_taken = was_full && has_written;
        let is_stalled = is_waiting && !has_written;
        self.stalled = next(self.stalled, is_stalled);
        self.backlogged = next(self.backlogged, is_stalled && input.is_backlogged);
        if has_written || is_waiting {
            self.quiet_since = self.looked;
        }
        self.check_writing(input)?;
        self.has_received |= has_taken;
        self.check_reading(since, input)?;
        self.check_end(input, state)?;
        let is_up = matches!(state.phase, Phase::Open | Phase::Draining { .. });
        let quiet = self.looked.duration_since(self.quiet_since);
        if quiet >= self.limits.heartbeat && is_up {
            self.quiet_since = self.looked;
            self.heartbeat(state);
        }
        Ok(())
    }

    fn check_writing(&self, input: &TickInput) -> Result<(), ConnectionError> {
        // A peer that is heard from is alive: its readers are slow, or its system opens a window that
        // was closed in steps of megabytes. What waits for it is bounded.
        let seconds = if input.sends_heartbeats {
            self.limits.write_stall
        } else {
            self.limits.silent_write_stall
        };
        let limit = ticks::of_seconds(seconds);
        // One that is held back because its own replies take all room is not heard, and has to take
        // some of them before it is.
        let is_silent = input.is_held_back || self.silent >= limit;
        if self.stalled > seconds && is_silent {
            return Err(ConnectionError::WriteStalled(limit));
        }
        if self.backlogged > BACKLOG_SECONDS {
            return Err(LimitExceeded::ReplyBacklog(ticks::of_seconds(BACKLOG_SECONDS)).into());
        }
        Ok(())
    }

    fn check_reading(&mut self, since: Duration, input: &TickInput) -> Result<(), ConnectionError> {
        if std::mem::take(&mut self.has_received) {
            self.silent = Duration::ZERO;
        } else if !input.is_paused && !self.has_peer_ended {
            self.silent = self.silent.saturating_add(since);
        }
        // The write stall decides about one that may send no heartbeats.
        let may_be_silent = self.stalled > 0 && !input.sends_heartbeats;
        if let Some(idle) = self.limits.idle.filter(|idle| self.silent >= *idle) {
            if !may_be_silent {
                return Err(ConnectionError::Idle(idle));
            }
        }
        self.unauthorized = next(self.unauthorized, !input.is_authorized);
        if self.unauthorized > self.limits.authorization {
            let limit = ticks::of_seconds(self.limits.authorization);
            return Err(LimitExceeded::AuthorizationTimeout(limit).into());
        }
        if input.oldest_header > self.limits.header {
            return Err(LimitExceeded::HeaderTimeout(ticks::of_seconds(self.limits.header)).into());
        }
        Ok(())
    }

    fn check_end(&mut self, input: &TickInput, state: &mut State) -> Result<(), ConnectionError> {
        let is_draining = matches!(state.phase, Phase::Draining { .. });
        if std::mem::replace(&mut self.is_draining, is_draining) && !is_draining {
            self.ending = 0;
        }
        match state.phase {
            Phase::Open | Phase::Ended(_) => return Ok(()),
            Phase::Closing { by, .. } if self.ending >= LINGER_SECONDS => {
                return Err(state.closed(by));
            }
            Phase::Closing { .. } => {}
            // Its limit has a timer, because a caller of `shutdown` waits for that.
            Phase::Draining { .. } => {
                let is_at_rest = input.is_flushed && !input.is_at_work && state.is_all_done();
                // What a peer with the extension sends is known exactly.
                let is_all_here = match state.is_extended {
                    true => state.has_taken_all(),
                    false => self.ending >= LATE_SECONDS,
                };
                if is_at_rest && is_all_here {
                    return Err(ConnectionError::Closed(ClosedBy::Local));
                }
            }
        }
        self.ending = self.ending.saturating_add(1);
        self.leaving = self.leaving.saturating_add(1);
        Ok(())
    }
}

/// The next count of something that goes on, or that has ended.
fn next(count: u32, goes_on: bool) -> u32 {
    if goes_on { count.saturating_add(1) } else { 0 }
}

impl Limits {
    fn of(options: &Options) -> Self {
        Self {
            heartbeat: ticks::at_least_one(options.heartbeat),
            idle: options.idle_timeout.map(ticks::at_least_one),
            header: ticks::seconds(options.header_timeout),
            write_stall: ticks::seconds(options.write_stall.unwrap_or(WRITE_STALL)),
            silent_write_stall: ticks::seconds(options.write_stall.unwrap_or(SILENT_WRITE_STALL)),
            authorization: ticks::seconds(options.authorization_timeout),
        }
    }
}
