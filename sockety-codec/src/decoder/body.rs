use super::files::Files;
use crate::head::identity::Identity;
use crate::head::layout::Sizes;
use crate::uint;
use crate::{ChannelId, FileIndex, Limits, Refusal, Violation};

/// What remains of a message after its head.
#[derive(Debug)]
pub(super) struct Body {
    /// Bytes of the payload that remain.
    data: u64,
    files: Option<Box<Files>>,
    stream: Stream,
    /// Whether the content is dropped instead of being returned.
    refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    None,
    Due,
    Ended,
}

/// The part of a message that the content of a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Data,
    Stream,
    File(FileIndex),
}

impl Body {
    /// The body of a message without files.
    #[inline]
    pub(super) fn plain(payload: u64, has_stream: bool) -> Self {
        Self {
            data: payload,
            files: None,
            stream: if has_stream {
                Stream::Due
            } else {
                Stream::None
            },
            refused: false,
        }
    }

    pub(super) fn new(sizes: Sizes, has_stream: bool, identity: Identity, limits: &Limits) -> Self {
        let mut body = Self::plain(sizes.payload, has_stream);
        if sizes.files.count > 0 {
            body.files = Some(Box::new(Files::new(identity, sizes.files, limits)));
        }
        body
    }

    pub(super) fn refuse(&mut self) {
        self.refused = true;
    }

    // r[impl content.data.announced]
    // r[impl content.data.exact]
    #[inline]
    pub(super) fn on_data(&self, channel: ChannelId, size: u32) -> Result<(), Violation> {
        match self.data {
            0 => Err(Violation::UnexpectedData { channel, size }),
            left if u64::from(size) > left => Err(Violation::DataOverflow {
                channel,
                size,
                left,
            }),
            _ => Ok(()),
        }
    }

    // r[impl content.stream.announced]
    // r[impl content.stream.once]
    #[inline]
    pub(super) fn on_stream(&self, channel: ChannelId) -> Result<(), Violation> {
        match self.stream {
            Stream::None => Err(Violation::UnexpectedStream { channel }),
            Stream::Ended => Err(Violation::StreamEnded { channel }),
            Stream::Due => Ok(()),
        }
    }

    #[inline]
    pub(super) fn on_stream_end(&mut self, channel: ChannelId) -> Result<(), Violation> {
        self.on_stream(channel)?;
        self.stream = Stream::Ended;
        Ok(())
    }

    /// Returns the refusal to report if the file is longer than announced and the message is not
    /// yet refused.
    pub(super) fn on_file(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
        size: u32,
    ) -> Result<Option<Refusal>, Violation> {
        let refusal = self
            .files(channel, index)?
            .on_content(channel, index, size)?;
        let first = refusal.filter(|_| !self.refused);
        self.refused |= refusal.is_some();
        Ok(first)
    }

    pub(super) fn on_file_end(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
    ) -> Result<u64, Violation> {
        self.files(channel, index)?.on_end(channel, index)
    }

    /// `length` bytes of a legal packet have arrived.
    #[inline]
    pub(super) fn on_bytes(&mut self, content: Content, length: usize) {
        if content == Content::Data {
            self.data = self.data.saturating_sub(uint::wide(length));
        }
    }

    // r[impl content.end]
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.data == 0
            && self.stream != Stream::Due
            && self.files.as_ref().is_none_or(|files| files.have_ended())
    }

    #[inline]
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Bytes of the payload that remain.
    #[inline]
    pub(super) fn data(&self) -> u64 {
        self.data
    }

    /// Whether all file headers, if any, have arrived.
    pub(super) fn has_all_headers(&self) -> bool {
        self.files
            .as_ref()
            .is_none_or(|files| files.has_all_headers())
    }

    pub(super) fn files_mut(&mut self) -> Option<&mut Files> {
        self.files.as_deref_mut()
    }

    // r[impl content.file.index]
    fn files(&mut self, channel: ChannelId, index: FileIndex) -> Result<&mut Files, Violation> {
        self.files.as_deref_mut().ok_or(Violation::FileIndex {
            channel,
            index,
            count: 0,
        })
    }
}
