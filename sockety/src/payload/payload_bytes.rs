//! The bytes of a payload in this process.

use std::ops::Deref;

use bytes::Bytes;

/// A few bytes lie where this does, and need no separate memory.
#[derive(Debug, Clone)]
pub(crate) enum PayloadBytes {
    Few {
        length: u8,
        depth: Depth,
        bytes: [u8; FEW],
    },
    Many {
        depth: Depth,
        bytes: Bytes,
    },
}

/// How deep the arrays and maps of a payload are nested, if it was measured: it is for what this
/// side encodes as MessagePack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth(u16);

impl Depth {
    const NOT_MEASURED: Self = Self(u16::MAX);

    /// The number of levels; the largest number means that many or more.
    pub(crate) fn levels(self) -> Option<usize> {
        (self.0 != Self::NOT_MEASURED.0).then(|| self.0.into())
    }
}

/// So that it is little larger than without them, as it is moved often, and most arguments and results of one value fit.
const FEW: usize = 36;

impl PayloadBytes {
    pub(crate) const EMPTY: Self = Self::Few {
        length: 0,
        depth: Depth::NOT_MEASURED,
        bytes: [0; FEW],
    };

    #[inline]
    pub(crate) fn copy_of(source: &[u8]) -> Self {
        let mut bytes = [0; FEW];
        match bytes.get_mut(..source.len()) {
            Some(few) => {
                few.copy_from_slice(source);
                Self::Few {
                    length: source.len() as u8,
                    depth: Depth::NOT_MEASURED,
                    bytes,
                }
            }
            None => Bytes::copy_from_slice(source).into(),
        }
    }

    /// The same bytes, whose arrays and maps are nested to this depth.
    #[inline]
    pub(crate) fn with_depth(mut self, levels: usize) -> Self {
        let (Self::Few { depth, .. } | Self::Many { depth, .. }) = &mut self;
        *depth = Depth(u16::try_from(levels).map_or(u16::MAX - 1, |depth| depth.min(u16::MAX - 1)));
        self
    }

    pub(crate) fn depth(&self) -> Depth {
        let (Self::Few { depth, .. } | Self::Many { depth, .. }) = self;
        *depth
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Few { .. } => Bytes::copy_from_slice(&self),
            Self::Many { bytes, .. } => bytes,
        }
    }
}

impl Deref for PayloadBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Few { length, bytes, .. } => {
                bytes.get(..usize::from(*length)).unwrap_or_default()
            }
            Self::Many { bytes, .. } => bytes,
        }
    }
}

impl From<Bytes> for PayloadBytes {
    fn from(bytes: Bytes) -> Self {
        let depth = Depth::NOT_MEASURED;
        Self::Many { depth, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_and_many_are_what_was_copied() {
        for size in [0, 1, FEW - 1, FEW, FEW + 1, 1000] {
            let source: Vec<u8> = (0..size).map(|at| at as u8).collect();
            let copy = PayloadBytes::copy_of(&source);
            assert_eq!(*copy, *source);
            assert_eq!(matches!(copy, PayloadBytes::Few { .. }), size <= FEW);
            assert_eq!(*copy.into_bytes(), *source);
        }
    }
}
