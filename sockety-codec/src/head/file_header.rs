/// Announces one file: its size and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FileHeader<'a> {
    /// The size of the file in bytes, at most 2^48 - 1 (`head.file`).
    pub size: u64,
    /// The name that the sender has chosen, at most 65,535 bytes. It is untrusted text and not a
    /// path: never join it to one.
    pub name: &'a str,
}

impl<'a> FileHeader<'a> {
    /// The header of a file with this name and size.
    #[inline]
    pub const fn new(name: &'a str, size: u64) -> Self {
        Self { size, name }
    }
}
