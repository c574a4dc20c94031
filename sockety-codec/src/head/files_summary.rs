use super::FileHeader;
use crate::uint::{U24_MAX, U48_MAX};

/// The number of files of a message or response, and their total size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FilesSummary {
    /// The number of files, at most 16,777,215 (`head.files.count`).
    pub count: u32,
    /// The bytes of all files together, at most 2^48 - 1 (`head.files.total`).
    pub total_size: u64,
}

impl FilesSummary {
    /// No files.
    pub const NONE: Self = Self::new(0, 0);

    /// A summary of `count` files with `total_size` bytes together.
    #[inline]
    pub const fn new(count: u32, total_size: u64) -> Self {
        Self { count, total_size }
    }

    /// Returns the summary of these files, or `None` if they exceed what the wire can announce.
    pub fn of(files: &[FileHeader<'_>]) -> Option<Self> {
        let count = u32::try_from(files.len()).ok()?;
        let total_size = files
            .iter()
            .try_fold(0_u64, |total, file| total.checked_add(file.size))?;
        (count <= U24_MAX && total_size <= U48_MAX).then_some(Self { count, total_size })
    }
}
