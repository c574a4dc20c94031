//! How the files and the stream of one message are laid out on the wire.

use std::sync::Arc;

use bytes::Bytes;
use sockety_codec::{FileHeader, FileIndex};

/// The files and the stream that a message announces. There is at least one of them: a message that
/// announces nothing is whole in itself, and the end of no part would ever free its channel.
#[derive(Debug)]
pub(crate) struct Layout {
    has_stream: bool,
    files: Vec<(Arc<str>, u64)>,
    parts: Vec<NewPart>,
}

impl Layout {
    /// `None` when there is neither a stream nor a file.
    ///
    /// The part of the stream is number 0, if there is one; the files follow it in their order.
    pub(crate) fn new(
        stream: Option<PartSource>,
        files: impl ExactSizeIterator<Item = NewFile>,
    ) -> Option<Self> {
        let has_stream = stream.is_some();
        if !has_stream && files.len() == 0 {
            return None;
        }
        let mut parts = Vec::with_capacity(usize::from(has_stream) + files.len());
        parts.extend(stream.map(|source| NewPart {
            kind: PartKind::Stream,
            source,
        }));
        let mut headers = Vec::with_capacity(files.len());
        for (index, file) in files.enumerate() {
            headers.push((file.name, file.size));
            // A file with an index that the wire cannot express is refused with the header.
            let index = u32::try_from(index).ok().and_then(FileIndex::new);
            parts.extend(index.map(|index| NewPart {
                kind: PartKind::File(index),
                source: file.source,
            }));
        }
        Some(Self {
            has_stream,
            files: headers,
            parts,
        })
    }

    pub(crate) fn has_stream(&self) -> bool {
        self.has_stream
    }

    pub(crate) fn headers(&self) -> Vec<FileHeader<'_>> {
        self.files
            .iter()
            .map(|(name, size)| FileHeader::new(name, *size))
            .collect()
    }

    /// The parts, to be sent. A layout is submitted once.
    pub(crate) fn take_parts(&mut self) -> Vec<NewPart> {
        std::mem::take(&mut self.parts)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartKind {
    Stream,
    File(FileIndex),
}

/// A file that a message announces.
pub(crate) struct NewFile {
    pub(crate) name: Arc<str>,
    pub(crate) size: u64,
    pub(crate) source: PartSource,
}

/// A part of a message at its beginning.
#[derive(Debug)]
pub(crate) struct NewPart {
    pub(crate) kind: PartKind,
    pub(crate) source: PartSource,
}

/// Where the bytes of a part come from.
#[derive(Debug)]
pub(crate) enum PartSource {
    /// All of them are in memory.
    Whole(Bytes),
    /// A [`PartWriter`](super::part_writer::PartWriter) adds them.
    Written,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_layout() {
        assert!(Layout::new(None, std::iter::empty()).is_none());
    }

    #[test]
    fn the_stream_is_the_first_part_and_files_follow_in_order() {
        let file = |name: &str| NewFile {
            name: name.into(),
            size: 1,
            source: PartSource::Written,
        };
        let files = [file("a"), file("b")].into_iter();
        let mut layout = Layout::new(Some(PartSource::Written), files).expect("three parts");
        let kinds = layout.take_parts().into_iter().map(|part| part.kind);
        let file = |index| PartKind::File(FileIndex::new(index).expect("a small index"));
        assert_eq!(
            kinds.collect::<Vec<_>>(),
            [PartKind::Stream, file(0), file(1)]
        );
    }
}
