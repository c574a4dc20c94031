//! What messages share that one read brings, and the short way of one-way messages.
//!
//! Handlers that end at once use one lease, one after another, and the same memory. One that waits
//! keeps the lease.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::Context,
};

use super::{Inbound, messages::on_panic};
use crate::{
    action::Action,
    engine::{
        holders::Holder,
        lease::Lease,
        memory::handlers::{HandlerMemory, Waiting},
        payload_reservation::is_little,
        serve::{Handler, Route, Serve, Served, Target},
        start::{OneWay, Reached, Start},
    },
};

/// What messages have in common that follow each other.
#[derive(Default)]
pub(super) struct Following {
    /// The action of a service that was called last.
    known: Option<Known>,
    /// Of a handler that has ended.
    lease: Option<Lease>,
    pub(super) memory: HandlerMemory,
}

#[derive(Clone, Copy)]
struct Known {
    name: &'static str,
    served: Served,
}

impl Following {
    /// The action, if it is the one that was called last.
    #[inline]
    pub(super) fn route(&self, action: &str) -> Option<(Served, Route)> {
        let Known { name, served } = self.known.filter(|known| known.name == action)?;
        let route = Route::to_handler(Action::Known(name), Handler::Service(served));
        Some((served, route))
    }

    pub(super) fn note(&mut self, route: &Route) {
        if let (&Action::Known(name), &Target::Handle(Handler::Service(served))) =
            (&route.action, &route.target)
        {
            self.known = Some(Known { name, served });
        }
    }

    /// A lease for another handler. With those that are executed, it counts already.
    #[inline]
    pub(super) fn take_lease(&mut self) -> Option<Lease> {
        self.lease.take()
    }

    #[inline]
    pub(super) fn keep_lease(&mut self, lease: Option<Lease>) {
        if lease.is_some() {
            self.lease = lease;
        }
    }

    /// Before anything else counts requests.
    #[inline]
    pub(super) fn release(&mut self) {
        if self.lease.is_some() {
            self.lease = None;
        }
    }

    /// What was read is handled.
    #[inline]
    pub(super) fn end(&mut self) {
        self.release();
        self.memory.give_back();
    }
}

impl<S: Serve> Inbound<S> {
    /// Runs the handler of a one-way message of which nothing was said, if it takes the short way.
    /// Returns whether it did.
    #[inline]
    pub(super) fn run_one_way(
        &mut self,
        route: &Route,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) -> bool {
        let Target::Handle(Handler::Service(served)) = route.target else {
            return false;
        };
        if !served.description.is_one_way || !is_little(payload.len()) || !self.may_run_one_way() {
            return false;
        }
        let begin = || {
            let start = Start::in_place(self.following.memory.take(), cx);
            let message = OneWay::new(payload, &self.shared.options.bounds, start);
            self.serve.one_way(served, message).map(|begun| begun.0)
        };
        match catch_unwind(AssertUnwindSafe(begin)) {
            Ok(None) => return false,
            Ok(Some(Reached::Ended(_))) => {}
            Ok(Some(Reached::Waits(handler) | Reached::Later(handler))) => {
                self.spawn_one_way(&route.action, handler);
            }
            Err(panic) => on_panic(&self.shared, &route.action, &*panic),
        }
        true
    }

    /// Whether a handler may begin now. Then there is a lease for it.
    #[inline]
    fn may_run_one_way(&mut self) -> bool {
        if self.following.lease.is_none() {
            let lease = Lease::of_request(&self.shared, Holder::Executing);
            let lease = lease.filter(|(_, before)| self.shared.may_execute(*before));
            self.following.lease = lease.map(|(lease, _)| lease);
        }
        // Those that wait for their turn go first.
        self.queue.is_empty() && self.following.lease.is_some()
    }

    #[cold]
    fn spawn_one_way(&mut self, action: &Action, handler: Waiting) {
        let lease = self.following.lease.take();
        let handler = async move {
            handler.await;
            drop(lease);
        };
        self.spawn(action.clone(), Box::pin(handler));
    }
}
