//! Memory for the futures of handlers, used again by the next handler of the same method.
//!
//! Most handlers end when they are first polled, where their messages were read. With a separate
//! allocation for each, the allocator takes longer than such a handler. The memory belongs to the
//! thread, so that a connection keeps nothing between two reads.

use std::{
    any::Any,
    cell::Cell,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// How many methods a thread keeps memory for.
const KEPT: usize = 16;

/// Memory of larger futures goes back to the allocator: few methods have any.
const LARGEST: usize = 1024;

thread_local! {
    static MEMORY: Cell<Vec<Box<dyn Any + Send>>> = const { Cell::new(Vec::new()) };

    /// Whether it was used since the last check.
    static WAS_USED: Cell<bool> = const { Cell::new(false) };
}

/// Returns the memory to the allocator, unless it was used since the last call.
pub(crate) fn give_back_unused() {
    if !WAS_USED.replace(false) {
        drop(MEMORY.take());
    }
}

/// The rest of a handler, whatever its method.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The memory of a future, which is there while its handler runs.
type Place<F> = Pin<Box<Option<F>>>;

/// The memory of a thread while a connection handles what it has read.
#[derive(Default)]
pub(crate) struct HandlerMemory {
    /// A [`Place`] of each method, without a future. The one that was used last is the last one.
    places: Vec<Box<dyn Any + Send>>,
    /// What the last handler was a method of. So handlers of one service that follow each other
    /// count one reference to it.
    service: Option<Arc<dyn Any + Send + Sync>>,
}

impl HandlerMemory {
    /// Takes the memory of the thread, unless this has it already.
    #[inline]
    pub(crate) fn take(&mut self) -> &mut Self {
        if self.places.is_empty() {
            self.places = MEMORY.take();
        }
        self
    }

    /// Gives the memory back to the thread, and drops the reference to the service.
    #[inline]
    pub(crate) fn give_back(&mut self) {
        self.service = None;
        if !self.places.is_empty() {
            WAS_USED.set(true);
            MEMORY.set(mem::take(&mut self.places));
        }
    }

    /// A reference to a service, for a handler that returns it.
    #[inline]
    pub(crate) fn service<T: Send + Sync + 'static>(&mut self, service: &Arc<T>) -> Arc<T> {
        let kept = self.service.take().map(Arc::downcast::<T>);
        match kept {
            Some(Ok(kept)) if Arc::ptr_eq(&kept, service) => kept,
            _ => Arc::clone(service),
        }
    }

    /// Runs a handler as far as it goes without waiting. It returns the reference to its service.
    #[inline]
    pub(crate) fn run<T, F, O>(&mut self, handler: F, cx: &mut Context<'_>) -> Ran<F, O>
    where
        T: Send + Sync + 'static,
        F: Future<Output = (Arc<T>, O)> + Send + 'static,
    {
        // Not kept here meanwhile: what a handler holds that panics is dropped while it panics.
        let mut place = self.place::<F>();
        (*place).as_mut().set(Some(handler));
        match poll((*place).as_mut(), cx) {
            Poll::Ready((service, output)) => {
                self.service = Some(service);
                if size_of::<F>() <= LARGEST {
                    self.keep(place);
                }
                Ran::Ended(output)
            }
            Poll::Pending => Ran::Waits(Waits(place)),
        }
    }

    #[inline]
    fn place<F: Send + 'static>(&mut self) -> Box<Place<F>> {
        let is_its = |place: &Box<dyn Any + Send>| place.is::<Place<F>>();
        if let Some(at) = self.places.iter().rposition(is_its) {
            if let Ok(place) = self.places.swap_remove(at).downcast() {
                return place;
            }
        }
        Box::new(Box::pin(None))
    }

    #[inline]
    fn keep(&mut self, place: Box<dyn Any + Send>) {
        if self.places.len() >= KEPT {
            self.places.swap_remove(0);
        }
        self.places.push(place);
    }
}

/// How far a handler went.
pub(crate) enum Ran<F, O> {
    Ended(O),
    Waits(Waits<F>),
}

/// A handler that waits, in its place.
pub(crate) struct Waits<F>(Box<Place<F>>);

impl<T, F, O> Future for Waits<F>
where
    F: Future<Output = (Arc<T>, O)>,
{
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        poll((*self.0).as_mut(), cx).map(|(_, output)| output)
    }
}

/// Once it has ended, nothing is left in its place.
#[inline]
fn poll<F: Future>(mut place: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    let polled = match place.as_mut().as_pin_mut() {
        Some(handler) => handler.poll(cx),
        None => panic!("a handler was polled after it had ended"),
    };
    if polled.is_ready() {
        place.set(None);
    }
    polled
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Waker,
    };

    use super::*;

    fn run<F>(memory: &mut HandlerMemory, handler: F) -> Option<Waiting>
    where
        F: Future<Output = (Arc<AtomicUsize>, ())> + Send + 'static,
    {
        match memory.run(handler, &mut Context::from_waker(Waker::noop())) {
            Ran::Ended(()) => None,
            Ran::Waits(handler) => Some(Box::pin(handler)),
        }
    }

    fn counting(
        memory: &mut HandlerMemory,
        counter: &Arc<AtomicUsize>,
        yields: bool,
    ) -> Option<Waiting> {
        let service = memory.service(counter);
        run(memory, async move {
            if yields {
                tokio::task::yield_now().await;
            }
            service.fetch_add(1, Ordering::Relaxed);
            (service, ())
        })
    }

    #[test]
    fn handlers_of_one_method_share_memory_and_one_reference() {
        let (counter, mut memory) = (Arc::default(), HandlerMemory::default());
        for _ in 0..3 {
            assert!(counting(&mut memory, &counter, false).is_none());
            assert_eq!(Arc::strong_count(&counter), 2);
            assert_eq!(memory.places.len(), 1);
        }
        assert_eq!(counter.load(Ordering::Relaxed), 3);
        memory.give_back();
        assert_eq!(Arc::strong_count(&counter), 1);
        assert!(memory.places.is_empty());
        assert_eq!(memory.take().places.len(), 1);
    }

    #[test]
    fn a_handler_that_waits_goes_on_while_others_begin() {
        let (counter, mut memory) = (Arc::default(), HandlerMemory::default());
        let mut waiting = counting(&mut memory, &counter, true).expect("it waits");
        assert!(counting(&mut memory, &counter, false).is_none());
        assert_eq!(counter.load(Ordering::Relaxed), 1);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
        assert_eq!(counter.load(Ordering::Relaxed), 2);
        drop(waiting);
        memory.give_back();
        assert_eq!(Arc::strong_count(&counter), 1);
    }

    #[test]
    fn a_reference_is_to_the_service_that_was_asked_for() {
        let (first, second) = (Arc::default(), Arc::default());
        let mut memory = HandlerMemory::default();
        assert!(counting(&mut memory, &first, false).is_none());
        assert!(counting(&mut memory, &second, false).is_none());
        assert!(counting(&mut memory, &second, false).is_none());
        assert_eq!(first.load(Ordering::Relaxed), 1);
        assert_eq!(second.load(Ordering::Relaxed), 2);
        assert_eq!(Arc::strong_count(&first), 1);
    }

    #[test]
    fn large_futures_and_those_of_many_methods_are_not_kept() {
        let (counter, mut memory) = (Arc::<AtomicUsize>::default(), HandlerMemory::default());
        let service = memory.service(&counter);
        let large = [7_u8; LARGEST];
        let handler = async move {
            std::future::ready(()).await;
            service.fetch_add(large.len(), Ordering::Relaxed);
            (service, ())
        };
        assert!(run(&mut memory, handler).is_none());
        assert!(memory.places.is_empty());
        for _ in 0..2 * KEPT {
            memory.keep(Box::new(()));
        }
        assert_eq!(memory.places.len(), KEPT);
    }
}
