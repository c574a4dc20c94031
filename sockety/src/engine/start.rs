//! How handlers begin: where their messages were read, in memory that was used before.

use std::{sync::Arc, task::Context};

use super::{
    lease::Lease,
    memory::handlers::{HandlerMemory, Ran, Waiting},
};
use crate::{
    msgpack::{__private::Entries, Bounds, DecodeError},
    payload::{format::Format, parameters::decode_within},
};

/// Where a handler begins.
pub struct Start<'a, 'c>(Option<InPlace<'a, 'c>>);

struct InPlace<'a, 'c> {
    memory: &'a mut HandlerMemory,
    cx: &'a mut Context<'c>,
}

/// A handler that was begun.
pub struct Begun(pub(crate) Reached);

/// How far a handler has come.
pub(crate) enum Reached {
    /// To its end. The lease of its message may be used for another.
    Ended(Option<Lease>),
    /// It was polled, and waits.
    Waits(Waiting),
    /// It was not polled yet.
    Later(Waiting),
}

impl<'a, 'c> Start<'a, 'c> {
    /// Here and now.
    #[inline]
    pub(crate) fn in_place(memory: &'a mut HandlerMemory, cx: &'a mut Context<'c>) -> Self {
        Self(Some(InPlace { memory, cx }))
    }

    /// Wherever it is polled.
    pub(crate) fn later() -> Self {
        Self(None)
    }

    /// Runs a handler as far as it goes without waiting, if it begins here; else returns it.
    #[inline]
    pub(crate) fn run<T, F, O>(
        self,
        service: &Arc<T>,
        handler: impl FnOnce(Arc<T>) -> F,
    ) -> Result<Ran<F, O>, F>
    where
        T: Send + Sync + 'static,
        F: Future<Output = (Arc<T>, O)> + Send + 'static,
    {
        match self.0 {
            Some(InPlace { memory, cx }) => {
                let handler = handler(memory.service(service));
                Ok(memory.run(handler, cx))
            }
            None => Err(handler(Arc::clone(service))),
        }
    }
}

impl Begun {
    /// One that was not polled.
    pub fn later(handler: Waiting) -> Self {
        Self(Reached::Later(handler))
    }

    /// What is left of it to do.
    pub(crate) fn into_rest(self) -> Waiting {
        match self.0 {
            Reached::Ended(_) => Box::pin(std::future::ready(())),
            Reached::Waits(handler) | Reached::Later(handler) => handler,
        }
    }
}

impl From<Waiting> for Begun {
    fn from(handler: Waiting) -> Self {
        Self::later(handler)
    }
}

/// A one-way message that carries nothing but a small payload, and of which nothing was said. Nobody
/// is answered, so the handler needs nothing but its parameters.
pub struct OneWay<'a, 'c> {
    payload: &'a [u8],
    bounds: &'a Bounds,
    start: Start<'a, 'c>,
}

impl<'a, 'c> OneWay<'a, 'c> {
    #[inline]
    pub(crate) fn new(payload: &'a [u8], bounds: &'a Bounds, start: Start<'a, 'c>) -> Self {
        Self {
            payload,
            bounds,
            start,
        }
    }

    /// Decodes the only parameter.
    ///
    /// # Errors
    /// [`DecodeError`] if the payload is not of this type.
    #[inline]
    pub fn decode<T>(&self, format: Format<T>) -> Result<T, DecodeError> {
        format.decode_slice(self.payload, self.bounds)
    }

    /// Decodes several parameters.
    ///
    /// # Errors
    /// [`DecodeError`] if the payload is something else.
    #[inline]
    pub fn decode_all<P: Entries>(&self, parameters: P) -> Result<P::Values, DecodeError> {
        decode_within(self.payload, self.bounds, parameters)
    }

    /// Runs the handler as far as it goes without waiting. It returns the reference to the service.
    #[inline]
    pub fn run<T, F>(self, service: &Arc<T>, handler: impl FnOnce(Arc<T>) -> F) -> Begun
    where
        T: Send + Sync + 'static,
        F: Future<Output = (Arc<T>, ())> + Send + 'static,
    {
        Begun(match self.start.run(service, handler) {
            Ok(Ran::Ended(())) => Reached::Ended(None),
            Ok(Ran::Waits(handler)) => Reached::Waits(Box::pin(handler)),
            Err(handler) => Reached::Later(Box::pin(async move {
                handler.await;
            })),
        })
    }
}
