use crate::uint;
use crate::{ChannelId, FileHeader, FileIndex, UsageError};

/// What is in progress on one channel to the peer.
///
/// ```text
///         message, response            abort
///   Free ───────────────────> Open ─────────────> Retired
///     ^    all content sent     │
///     └─────────────────────────┘
/// ```
#[derive(Debug, Default)]
pub(super) enum Outbound {
    #[default]
    Free,
    Open(Due),
    /// After an abort. A peer may ignore it, and consider the channel in use forever.
    Retired,
}

/// What was announced and has not been sent.
#[derive(Debug)]
pub(super) struct Due {
    data: u64,
    stream: Stream,
    /// Bytes left of each file; `None` after its end.
    files: Vec<Option<u64>>,
    /// Files that have not ended.
    open_files: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    None,
    Due,
}

impl Due {
    pub(super) fn new(payload: u64, has_stream: bool, files: &[FileHeader<'_>]) -> Self {
        Self {
            data: payload,
            stream: if has_stream {
                Stream::Due
            } else {
                Stream::None
            },
            files: files.iter().map(|file| Some(file.size)).collect(),
            open_files: files.len(),
        }
    }

    // r[impl content.data.exact]
    pub(super) fn on_data(&mut self, size: u32) -> Result<(), UsageError> {
        let left = self.data;
        let rest = left.checked_sub(size.into());
        self.data = rest.ok_or(UsageError::DataOverflow { size, left })?;
        Ok(())
    }

    // r[impl content.stream.announced]
    // r[impl content.stream.once]
    pub(super) fn on_stream(&self, channel: ChannelId) -> Result<(), UsageError> {
        match self.stream {
            Stream::None => Err(UsageError::NoStream { channel }),
            Stream::Due => Ok(()),
        }
    }

    pub(super) fn on_stream_end(&mut self, channel: ChannelId) -> Result<(), UsageError> {
        self.on_stream(channel)?;
        self.stream = Stream::None;
        Ok(())
    }

    // r[impl content.file.size]
    pub(super) fn on_file(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
        size: u32,
    ) -> Result<(), UsageError> {
        let file = self.file(channel, index)?;
        let Some(left) = *file else {
            return Err(UsageError::NoFile { channel, index });
        };
        let rest = left.checked_sub(size.into());
        *file = Some(rest.ok_or(UsageError::FileOverflow { index, size, left })?);
        Ok(())
    }

    // r[impl content.file.once]
    pub(super) fn on_file_end(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
    ) -> Result<(), UsageError> {
        let file = self.file(channel, index)?;
        if file.take().is_none() {
            return Err(UsageError::NoFile { channel, index });
        }
        self.open_files = self.open_files.saturating_sub(1);
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.data == 0 && self.stream == Stream::None && self.open_files == 0
    }

    // r[impl content.file.index]
    fn file(
        &mut self,
        channel: ChannelId,
        index: FileIndex,
    ) -> Result<&mut Option<u64>, UsageError> {
        self.files
            .get_mut(uint::index(index.get()))
            .ok_or(UsageError::NoFile { channel, index })
    }
}
