use std::collections::VecDeque;

use crate::{FileIndex, Part};

/// The parts of one message, each with a record from its first use on.
#[derive(Debug)]
pub(super) struct Parts<R> {
    stream: Option<R>,
    /// Records of the files from `first` on.
    files: VecDeque<R>,
    /// The first file whose record has not gone.
    first: u32,
    /// The number of files that were announced.
    count: u32,
}

/// What is known of a part.
pub(super) enum Known<'a, R> {
    /// The message has no such part.
    Unannounced,
    /// Its record has gone.
    Gone,
    Record(&'a mut R),
}

impl<'a, R> Known<'a, R> {
    pub(super) fn record(self) -> Option<&'a mut R> {
        match self {
            Self::Record(record) => Some(record),
            Self::Unannounced | Self::Gone => None,
        }
    }
}

impl<R: Copy + Default> Parts<R> {
    pub(super) fn new(has_stream: bool, files: u32) -> Self {
        Self {
            stream: has_stream.then(R::default),
            files: VecDeque::new(),
            first: 0,
            count: files,
        }
    }

    /// The number of parts.
    pub(super) fn number(&self) -> u32 {
        self.count.saturating_add(u32::from(self.stream.is_some()))
    }

    pub(super) fn files(&self) -> u32 {
        self.count
    }

    pub(super) fn stream(&self) -> Option<&R> {
        self.stream.as_ref()
    }

    /// The first file whose record has not gone.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// The first file that was not used, nor any after it.
    pub(super) fn unused(&self) -> u32 {
        let records = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.first.saturating_add(records)
    }

    /// What is known of a part; a part that is used for the first time gets a record.
    #[inline]
    pub(super) fn use_of(&mut self, part: Part) -> Known<'_, R> {
        let index = match part {
            Part::Stream => {
                return match &mut self.stream {
                    Some(record) => Known::Record(record),
                    None => Known::Unannounced,
                };
            }
            Part::File(index) => index.get(),
        };
        if index >= self.count {
            return Known::Unannounced;
        }
        let Some(place) = self.place(index) else {
            return Known::Gone;
        };
        if place >= self.files.len() {
            self.files.resize(place.saturating_add(1), R::default());
        }
        match self.files.get_mut(place) {
            Some(record) => Known::Record(record),
            None => Known::Gone,
        }
    }

    /// The record of a part that has one.
    #[inline]
    pub(super) fn existing(&mut self, part: Part) -> Option<&mut R> {
        match part {
            Part::Stream => self.stream.as_mut(),
            Part::File(index) => {
                let place = self.place(index.get())?;
                self.files.get_mut(place)
            }
        }
    }

    /// The record of a part, also of one that was not used yet: `None` if there is no such part, or
    /// its record has gone.
    #[inline]
    pub(super) fn get(&self, part: Part) -> Option<R> {
        match part {
            Part::Stream => self.stream,
            Part::File(index) if index.get() < self.count => {
                let place = self.place(index.get())?;
                Some(self.files.get(place).copied().unwrap_or_default())
            }
            Part::File(_) => None,
        }
    }

    #[inline]
    fn place(&self, index: u32) -> Option<usize> {
        index
            .checked_sub(self.first)
            .and_then(|place| usize::try_from(place).ok())
    }

    /// Removes the record of the first file, if `goes` says so.
    pub(super) fn pop(&mut self, goes: impl FnOnce(&R) -> bool) -> Option<R> {
        if !self.files.front().is_some_and(goes) {
            return None;
        }
        self.first = self.first.saturating_add(1);
        self.files.pop_front()
    }

    pub(super) fn records(&self) -> impl DoubleEndedIterator<Item = (Part, &R)> {
        let files = self
            .files
            .iter()
            .enumerate()
            .map(|(place, record)| (self.part(place), record));
        let stream = self.stream.iter().map(|record| (Part::Stream, record));
        stream.chain(files)
    }

    pub(super) fn records_mut(&mut self) -> impl Iterator<Item = &mut R> {
        self.stream.iter_mut().chain(&mut self.files)
    }

    /// The file with the record at this place.
    fn part(&self, place: usize) -> Part {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        Part::File(FileIndex::from_low_bits(self.first.saturating_add(place)))
    }
}
