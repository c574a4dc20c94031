use crate::head::identity::Identity;
use crate::uint;
use crate::{ChannelId, FileIndex, FilesSummary, Limits, Refusal, RefusalReason, Violation};

/// The files of one message: what was announced, and what remains.
#[derive(Debug)]
pub(super) struct Files {
    /// The message that a refusal names.
    identity: Identity,
    summary: FilesSummary,
    /// The sum of the sizes in the file headers so far. `None` after an overflow.
    sum: Option<u64>,
    /// The number of file headers so far.
    headers: u32,
    /// The number of files that have ended.
    ended: u32,
    book: Book,
}

/// What is tracked of each file.
#[derive(Debug)]
enum Book {
    /// One entry per file header so far.
    Entries(Vec<File>),
    /// Nothing: there are too many files, so they are only counted.
    Closed,
}

#[derive(Clone, Copy, Debug)]
enum File {
    Due { declared: u64, left: u64 },
    Ended,
}

impl Files {
    pub(super) fn new(identity: Identity, summary: FilesSummary, limits: &Limits) -> Self {
        // r[impl limits.files]
        let book = if summary.count > limits.files() {
            Book::Closed
        } else {
            Book::Entries(Vec::new())
        };
        Self {
            identity,
            summary,
            sum: Some(0),
            headers: 0,
            ended: 0,
            book,
        }
    }

    /// Adds the next file, whose header says `size`. Returns its index.
    // r[impl head.file.order]
    pub(super) fn on_header(&mut self, size: u64) -> FileIndex {
        let index = FileIndex::from_low_bits(self.headers);
        self.headers = self.headers.saturating_add(1);
        // r[impl head.files.sum]
        self.sum = self.sum.and_then(|sum| sum.checked_add(size));
        if let Book::Entries(files) = &mut self.book {
            files.push(File::Due {
                declared: size,
                left: size,
            });
        }
        index
    }

    /// Subtracts `size` bytes from what is left of a file. Returns the refusal to report if it has
    /// fewer left.
    pub(super) fn on_content(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
        size: u32,
    ) -> Result<Option<Refusal>, Violation> {
        let identity = self.identity;
        let Some(file) = self.entry(channel, index)? else {
            return Ok(None);
        };
        match file {
            // r[impl content.file.once]
            File::Ended => Err(Violation::FileEnded { channel, index }),
            // r[impl content.file.size]
            File::Due { declared, left } => match left.checked_sub(size.into()) {
                Some(rest) => {
                    *left = rest;
                    Ok(None)
                }
                None => {
                    *left = 0;
                    let declared = *declared;
                    let reason = RefusalReason::FileOverrun { index, declared };
                    Ok(Some(identity.refusal(reason)))
                }
            },
        }
    }

    /// Ends a file, and returns the number of missing bytes.
    pub(super) fn on_end(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
    ) -> Result<u64, Violation> {
        let missing = match self.entry(channel, index)? {
            None => 0,
            // r[impl content.file.once]
            Some(File::Ended) => return Err(Violation::FileEnded { channel, index }),
            Some(file @ File::Due { .. }) => match core::mem::replace(file, File::Ended) {
                File::Due { left, .. } => left,
                File::Ended => 0,
            },
        };
        // More ends than headers: one of the files, if only counted, ended twice.
        if self.ended >= self.headers {
            return Err(Violation::FileEnded { channel, index });
        }
        self.ended = self.ended.saturating_add(1);
        Ok(missing)
    }

    /// The reason for a refusal if the sizes in the file headers cannot sum to the announced total.
    // r[impl head.files.sum]
    pub(super) fn mismatch(&self) -> Option<RefusalReason> {
        let declared = self.summary.total_size;
        let sum = self.sum.unwrap_or(u64::MAX);
        let wrong = sum > declared || (self.has_all_headers() && sum < declared);
        wrong.then_some(RefusalReason::FilesSizeMismatch { declared, sum })
    }

    pub(super) fn has_all_headers(&self) -> bool {
        self.headers == self.summary.count
    }

    pub(super) fn have_ended(&self) -> bool {
        self.ended == self.summary.count
    }

    fn entry(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
    ) -> Result<Option<&mut File>, Violation> {
        let count = self.summary.count;
        // r[impl content.file.index]
        if index.get() >= count {
            return Err(Violation::FileIndex {
                channel,
                index,
                count,
            });
        }
        // r[impl content.file.header]
        if index.get() >= self.headers {
            return Err(Violation::FileBeforeHeader { channel, index });
        }
        Ok(match &mut self.book {
            Book::Entries(files) => files.get_mut(uint::index(index.get())),
            Book::Closed => None,
        })
    }
}
