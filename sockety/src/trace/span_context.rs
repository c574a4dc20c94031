use std::fmt;

use sockety_codec::Uuid;
use tracing::{Span, field};

use crate::metadata::Trace;

/// The place of a span in its trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpanContext {
    /// With the id of this span, as those below it see it.
    pub(super) trace: Trace,
    parent: Option<[u8; 8]>,
}

impl SpanContext {
    /// A new span of this trace, or the first of a new one.
    // r[impl ext.meta.trace]
    pub(super) fn below(outer: Option<Trace>) -> Self {
        const SAMPLED: u8 = 1;
        let outer = outer.filter(Trace::is_valid);
        let trace = outer.unwrap_or_else(|| Trace {
            trace_id: Uuid::new_v4().into_bytes(),
            parent_id: [0; 8],
            flags: SAMPLED,
        });
        Self {
            trace: Trace {
                parent_id: new_span_id(),
                ..trace
            },
            parent: outer.map(|outer| outer.parent_id),
        }
    }

    pub(super) fn record(&self, span: &Span) {
        span.record("trace_id", field::display(Hex(&self.trace.trace_id)));
        span.record("span_id", field::display(Hex(&self.trace.parent_id)));
        if let Some(parent) = &self.parent {
            span.record("parent_id", field::display(Hex(parent)));
        }
    }
}

/// The second half of a UUID is random, and not 0, as it has the bits of the variant.
fn new_span_id() -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = Uuid::new_v4().into_bytes();
    [a, b, c, d, e, f, g, h]
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // r[verify ext.meta.trace]
    #[test]
    fn a_span_continues_a_trace_or_begins_one() {
        let first = SpanContext::below(None);
        assert!(first.trace.is_valid());
        assert_eq!((first.trace.flags, first.parent), (1, None));
        let outer = Trace {
            trace_id: [7; 16],
            parent_id: [8; 8],
            flags: 0,
        };
        let second = SpanContext::below(Some(outer));
        assert_eq!(second.trace.trace_id, outer.trace_id);
        assert_eq!(second.trace.flags, 0);
        assert_eq!(second.parent, Some(outer.parent_id));
        assert_ne!(second.trace.parent_id, outer.parent_id);
        let invalid = Trace {
            trace_id: [0; 16],
            ..outer
        };
        assert_eq!(SpanContext::below(Some(invalid)).parent, None);
        assert_eq!(Hex(&[0, 0x7F, 0xFF]).to_string(), "007fff");
    }
}
