//! Ends handlers early, when their callers have cancelled or their deadlines have passed.
//!
//! ```text
//! handler is still pending after its first poll ─▶ Cancellable, in Running by its number
//! Cancel, deadline ─▶ Cancellation::cancel ─▶ wakes the task, which drops the handler
//!                                             └▶ its PendingReply answers with the code
//! ```
//!
//! A handler that has given its answer before is dropped as well; its answer counts.

use std::{
    pin::Pin,
    sync::{Arc, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use rustc_hash::FxHashMap;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    early_end::{Ending, Number, Steering, Which},
    inherited::{self, Inherited},
    serve::Dispatch,
};
use crate::{
    fast_reply::{FastReply, FrameworkCode},
    sync::{Mutex, MutexGuard},
};

/// Deadlines that are closer have a timer of their own; the others are looked at once a second, and get
/// one when the connection ends.
const TIMED: Duration = Duration::from_secs(10);

/// Whether a handler is to end, and the task to wake then.
#[derive(Default)]
pub(crate) struct Cancellation(Mutex<Request>);

#[derive(Default)]
struct Request {
    code: Option<FastReply>,
    /// Its deadline does not count any more.
    is_untimed: bool,
    /// The connection that looked at it is gone, so that the handler has to.
    deadline: Option<Instant>,
    waker: Option<Waker>,
}

impl Cancellation {
    /// Ends the handler at its next await. The code is its answer, unless it has given one.
    pub(crate) fn cancel(&self, code: FrameworkCode) {
        let waker = {
            let mut request = self.lock();
            request.code.get_or_insert_with(|| code.reply());
            request.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The deadline has passed.
    fn cancel_overdue(&self) {
        if !self.lock().is_untimed {
            self.cancel(FrameworkCode::DeadlineExceeded);
        }
    }

    /// Leaves the deadline to the handler, which makes a timer of it.
    fn leave_deadline(&self, deadline: Instant) {
        let waker = {
            let mut request = self.lock();
            if request.is_untimed {
                return;
            }
            request.deadline = Some(deadline);
            request.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The code, if the handler is to end; otherwise the task is woken when it is.
    fn poll(&self, timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<FastReply> {
        let mut request = self.lock();
        if let Some(deadline) = request.deadline.take() {
            *timer = Some(Box::pin(sleep_until(deadline)));
        }
        if let Some(code) = request.code {
            return Poll::Ready(code);
        }
        match &mut request.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => request.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Request> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler that can be cancelled.
pub(crate) struct Cancellable {
    handler: Option<Dispatch>,
    message: Which,
    cancellation: Arc<Cancellation>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether its deadline is that of all requests that have none.
    has_default_deadline: bool,
    /// What calls of the handler take along.
    inherited: Inherited,
}

impl Future for Cancellable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut code = this.cancellation.poll(&mut this.timer, cx);
        if let (Poll::Pending, Some(timer)) = (code, &mut this.timer) {
            // r[impl ext.cancel.deadline]
            let passed = timer.as_mut().poll(cx);
            code = passed.map(|()| FrameworkCode::DeadlineExceeded.reply());
        }
        if let Poll::Ready(code) = code {
            let message = this.message;
            Ending { code, message }.drop(this.handler.take());
            return Poll::Ready(());
        }
        let Some(handler) = &mut this.handler else {
            return Poll::Ready(());
        };
        let polled = inherited::with(this.inherited, || handler.as_mut().poll(cx));
        if this.has_default_deadline && this.message.was_answered() {
            this.forget_deadline();
        }
        polled
    }
}

impl Cancellable {
    /// It has answered, and may answer again: its caller waits as long for each answer.
    #[cold]
    fn forget_deadline(&mut self) {
        self.has_default_deadline = false;
        (self.timer, self.inherited.deadline) = (None, None);
        let mut request = self.cancellation.lock();
        (request.is_untimed, request.deadline) = (true, None);
    }
}

/// The handlers of a connection that run as tasks, by the number of their messages.
#[derive(Default)]
pub(crate) struct Running {
    by_number: FxHashMap<Number, Task>,
    /// With this many entries, those whose handlers have ended are removed.
    sweeps_at: usize,
    /// Whether any had a deadline to be looked at, at the last tick or since.
    has_deadlines: bool,
}

struct Task {
    /// Gone when its handler has ended.
    cancellation: Weak<Cancellation>,
    deadline: Option<Instant>,
}

impl Running {
    /// Makes a handler one that can be cancelled.
    pub(crate) fn add(
        &mut self,
        steering: &Steering,
        message: Which,
        handler: Dispatch,
    ) -> Dispatch {
        let has_default_deadline = steering.has_default_deadline();
        let is_answered = has_default_deadline && message.was_answered();
        let deadline = steering.deadline().filter(|_| !is_answered);
        let number = Some(steering.number).filter(|_| steering.is_cancellable);
        let mut inherited = steering.inherited();
        inherited.deadline = deadline;
        let cancellation = Arc::new(Cancellation::default());
        // Nobody looks for one that is not there by its number.
        let has_timer = |deadline: &Instant| number.is_none() || *deadline < Instant::now() + TIMED;
        let timer = deadline.filter(has_timer).map(sleep_until).map(Box::pin);
        if let Some(number) = number {
            if self.by_number.len() >= self.sweeps_at {
                self.sweep();
            }
            let task = Task {
                cancellation: Arc::downgrade(&cancellation),
                deadline: deadline.filter(|_| timer.is_none()),
            };
            self.has_deadlines |= task.deadline.is_some();
            self.by_number.insert(number, task);
        }
        Box::pin(Cancellable {
            handler: Some(handler),
            message,
            cancellation,
            timer,
            has_default_deadline,
            inherited,
        })
    }

    fn sweep(&mut self) {
        self.by_number
            .retain(|_, task| task.cancellation.strong_count() > 0);
        self.sweeps_at = (2 * self.by_number.len()).max(64);
    }

    /// Ends the handler of this message, if it runs as a task. Returns whether it did.
    pub(crate) fn cancel(&mut self, number: Number) -> bool {
        let Some(task) = self.by_number.remove(&number) else {
            return false;
        };
        if let Some(cancellation) = task.cancellation.upgrade() {
            cancellation.cancel(FrameworkCode::Cancelled);
        }
        true
    }

    /// Whether no handler can be cancelled. Those that have ended count until a second has passed.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Whether a second has to be noticed.
    pub(crate) fn has_deadlines(&self) -> bool {
        self.has_deadlines
    }

    /// A second has passed: ends handlers whose deadlines have.
    // r[impl ext.cancel.deadline]
    pub(crate) fn on_tick(&mut self) {
        if self.by_number.is_empty() {
            self.has_deadlines = false;
            return;
        }
        let now = Instant::now();
        let mut has_deadlines = false;
        self.by_number.retain(|_, task| {
            let Some(cancellation) = task.cancellation.upgrade() else {
                return false;
            };
            let is_over = task.deadline.is_some_and(|deadline| deadline <= now);
            if is_over {
                cancellation.cancel_overdue();
            }
            has_deadlines |= task.deadline.is_some() && !is_over;
            !is_over
        });
        self.has_deadlines = has_deadlines;
        if self.by_number.is_empty() {
            *self = Self::default();
        }
    }
}

// r[impl ext.cancel.deadline]
impl Drop for Running {
    /// The connection has ended: its handlers run on, and still have their deadlines.
    fn drop(&mut self) {
        for task in self.by_number.values() {
            let Some(deadline) = task.deadline else {
                continue;
            };
            if let Some(cancellation) = task.cancellation.upgrade() {
                cancellation.leave_deadline(deadline);
            }
        }
    }
}
