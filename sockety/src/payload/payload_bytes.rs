//! The bytes of a payload in this process.

use std::ops::Deref;

use bytes::Bytes;

/// A few bytes lie where this does, and need no separate memory.
#[derive(Debug, Clone)]
pub(crate) enum PayloadBytes {
    Few { length: u8, bytes: [u8; FEW] },
    Many(Bytes),
}

/// So that it is little larger than without them, as it is moved often, and most arguments and results of one value fit.
const FEW: usize = 38;

impl PayloadBytes {
    pub(crate) const EMPTY: Self = Self::Few {
        length: 0,
        bytes: [0; FEW],
    };

    #[inline]
    pub(crate) fn copy_of(source: &[u8]) -> Self {
        let mut bytes = [0; FEW];
        match bytes.get_mut(..source.len()) {
            Some(few) => {
                few.copy_from_slice(source);
                let length = source.len() as u8;
                Self::Few { length, bytes }
            }
            None => Self::Many(Bytes::copy_from_slice(source)),
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Few { .. } => Bytes::copy_from_slice(&self),
            Self::Many(bytes) => bytes,
        }
    }
}

impl Deref for PayloadBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Few { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Many(bytes) => bytes,
        }
    }
}

impl From<Bytes> for PayloadBytes {
    fn from(bytes: Bytes) -> Self {
        Self::Many(bytes)
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
