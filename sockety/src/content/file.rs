pub(crate) mod disk;
pub(crate) mod disk_reader;
pub(crate) mod file_name;
pub(crate) mod partial;
pub(crate) mod save;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use sync_wrapper::SyncWrapper;
use tokio::io::{AsyncRead, ReadBuf};

use self::disk_reader::DiskReader;
use crate::{
    engine::{receive::intake::PartReader, send::part_writer::DISK_CHUNK},
    error::{read::ReadError, source::SourceError},
};

/// A named file: one to be sent, or one that is being received.
///
/// It is an `AsyncRead` of its content either way, so a received file can be sent on as it is. A
/// received one is read while it arrives; its end is reported only if all of it came. Dropping it
/// drops what was not read, and the message goes on.
///
/// ```
/// # use sockety::File;
/// let file = File::from_bytes("notes.txt", "remember the milk");
/// assert_eq!((file.name(), file.size()), ("notes.txt", 17));
/// ```
pub struct File {
    name: Arc<str>,
    size: u64,
    content: Content,
    on_progress: Option<OnProgress>,
}

/// Called with the bytes that were sent, and with those of the whole file. Shared by all attempts to
/// send it.
type OnProgress = Arc<dyn Fn(u64, u64) + Send + Sync>;

enum Content {
    Memory(Bytes),
    Path(PathBuf),
    OnDisk(Disk),
    Reader(SyncWrapper<Pin<Box<dyn AsyncRead + Send>>>),
    Received(PartReader),
}

/// A file on disk of which something was read.
struct Disk {
    reader: DiskReader,
    /// What was read and not taken.
    rest: Bytes,
}

impl File {
    /// A file whose content is in memory.
    pub fn from_bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            name: name.into().into(),
            size: bytes.len() as u64,
            content: Content::Memory(bytes),
            on_progress: None,
        }
    }

    /// A file on disk, under its own name. Its size is looked up now; it is opened when it is sent
    /// or read, and read off the async threads. If it has another size by then, the message is
    /// given up ([`SourceError::SizeChanged`]).
    ///
    /// # Errors
    /// Those of the operating system, with the path, which is not meant for peers; a path that is
    /// no regular file, or whose name is not UTF-8, is [`io::ErrorKind::InvalidInput`].
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let invalid = |what: &str| {
            let path = path.display();
            io::Error::new(io::ErrorKind::InvalidInput, format!("{path} {what}"))
        };
        let metadata = tokio::fs::metadata(&path).await;
        let metadata = metadata.map_err(|error| unopened(&path, error))?;
        if !metadata.is_file() {
            return Err(invalid("is no regular file"));
        }
        let name = path.file_name().ok_or_else(|| invalid("has no name"))?;
        let name = name
            .to_str()
            .ok_or_else(|| invalid("has a name that is not UTF-8"))?;
        Ok(Self {
            name: name.into(),
            size: metadata.len(),
            content: Content::Path(path),
            on_progress: None,
        })
    }

    /// A file whose content comes from a reader and is `size` bytes long.
    pub fn from_reader(
        name: impl Into<String>,
        size: u64,
        reader: impl AsyncRead + Send + 'static,
    ) -> Self {
        Self {
            name: name.into().into(),
            size,
            content: Content::Reader(SyncWrapper::new(Box::pin(reader))),
            on_progress: None,
        }
    }

    pub(crate) fn received(name: Arc<str>, size: u64, reader: PartReader) -> Self {
        Self {
            name,
            size,
            content: Content::Received(reader),
            on_progress: None,
        }
    }

    /// The same file under another name.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into().into();
        self
    }

    /// Calls `on_progress` while the file is sent, with the number of bytes that the connection has
    /// taken so far and with its size. They may still be in buffers of this side: at the end, that is
    /// no sign that the peer has them; the reply is. If the file is sent again, counting begins again.
    /// It must return at once, because the sending waits for it. If it panics, the message is
    /// abandoned. It is not called for an empty file.
    ///
    /// For a received file, see [`Save::on_progress`](save::Save::on_progress).
    ///
    /// ```
    /// # use sockety::File;
    /// let file = File::from_bytes("notes.txt", "remember the milk")
    ///     .on_progress(|sent, size| println!("{} %", sent * 100 / size));
    /// ```
    pub fn on_progress(mut self, on_progress: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(on_progress));
        self
    }

    pub(crate) fn report(&self, sent: u64) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(sent, self.size);
        }
    }

    /// The name. The peer chooses the name of a received file, so treat it as data, not as a path.
    /// [`File::safe_name`] checks it, and so does [`File::save_in`].
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Its size in bytes, as announced.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// [`ReadError::TooLarge`] when it has more than `limit` bytes, else what reading fails with.
    pub async fn bytes(mut self, limit: u64) -> io::Result<Bytes> {
        if self.size > limit {
            return Err(ReadError::TooLarge { limit }.into());
        }
        let Some(first) = self.next_chunk().await? else {
            return Ok(Bytes::new());
        };
        if first.len() as u64 == self.size && !matches!(self.content, Content::Received(_)) {
            return Ok(first);
        }
        let mut all = bytes::BytesMut::from(&first[..]);
        while let Some(chunk) = self.next_chunk().await? {
            if (all.len() + chunk.len()) as u64 > limit {
                return Err(ReadError::TooLarge { limit }.into());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// The next part of its content, as large as is available; `None` at the end.
    ///
    /// # Errors
    /// What reading fails with; of a received file [`ReadError`], inside the [`io::Error`].
    ///
    /// # Cancel safety
    /// Nothing is lost of a received file, nor of one on disk.
    pub async fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.next_chunk_of(DISK_CHUNK).await
    }

    /// Like [`File::next_chunk`], with at most `most` bytes of a file on disk, or of one whose progress
    /// is reported.
    pub(crate) async fn next_chunk_of(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        match &mut self.content {
            Content::Memory(bytes) if self.on_progress.is_some() => {
                let chunk = bytes.split_to(bytes.len().min(most));
                Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
            }
            Content::Memory(bytes) => {
                Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()))
            }
            Content::Received(reader) => {
                let chunk = std::future::poll_fn(|cx| reader.poll_chunk(usize::MAX, cx)).await;
                Ok(chunk.transpose()?)
            }
            Content::Path(_) | Content::OnDisk(_) => {
                let disk = self.disk();
                if disk.rest.is_empty() {
                    return std::future::poll_fn(|cx| disk.reader.poll_chunk(most, cx)).await;
                }
                Ok(Some(std::mem::take(&mut disk.rest)))
            }
            Content::Reader(_) => self.read_chunk(most).await,
        }
    }

    /// What reads a file on disk, from now on.
    fn disk(&mut self) -> &mut Disk {
        if let Content::Path(path) = &mut self.content {
            self.content = Content::OnDisk(Disk {
                reader: DiskReader::new(std::mem::take(path), self.size),
                rest: Bytes::new(),
            });
        }
        match &mut self.content {
            Content::OnDisk(disk) => disk,
            Content::Memory(_) | Content::Path(_) | Content::Reader(_) | Content::Received(_) => {
                unreachable!("it is asked of files on disk only")
            }
        }
    }

    async fn read_chunk(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        let mut chunk = bytes::BytesMut::with_capacity(most);
        tokio::io::AsyncReadExt::read_buf(self, &mut chunk).await?;
        Ok(Some(chunk.freeze()).filter(|chunk| !chunk.is_empty()))
    }

    /// The bytes, when they are in memory and nobody asks for progress.
    pub(crate) fn in_memory(&self) -> Option<Bytes> {
        match &self.content {
            Content::Memory(bytes) if self.on_progress.is_none() => Some(bytes.clone()),
            Content::Memory(_)
            | Content::Path(_)
            | Content::OnDisk(_)
            | Content::Reader(_)
            | Content::Received(_) => None,
        }
    }

    /// The same file once more, when it can be read again.
    pub(crate) fn again(&self) -> Option<Self> {
        let content = match &self.content {
            Content::Memory(bytes) => Content::Memory(bytes.clone()),
            Content::Path(path) => Content::Path(path.clone()),
            Content::OnDisk(_) | Content::Reader(_) | Content::Received(_) => return None,
        };
        Some(Self {
            name: Arc::clone(&self.name),
            size: self.size,
            content,
            on_progress: self.on_progress.clone(),
        })
    }

    pub(crate) fn read_error(&self, error: io::Error) -> SourceError {
        SourceError::Read {
            name: Arc::clone(&self.name),
            error: Arc::new(error),
        }
    }

    pub(crate) fn size_changed(&self, found: u64) -> SourceError {
        SourceError::SizeChanged {
            name: Arc::clone(&self.name),
            announced: self.size,
            found,
        }
    }
}

/// The error of the operating system, which does not name the file itself.
fn unopened(path: &Path, source: io::Error) -> io::Error {
    let path = path.to_owned();
    io::Error::new(source.kind(), OpenError { path, source })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open {path:?}")]
struct OpenError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.content {
            Content::Memory(bytes) => put(bytes, into),
            Content::Path(_) | Content::OnDisk(_) => {
                let disk = self.disk();
                if disk.rest.is_empty() {
                    let chunk = ready!(disk.reader.poll_chunk(DISK_CHUNK, cx))?;
                    disk.rest = chunk.unwrap_or_default();
                }
                put(&mut disk.rest, into);
            }
            Content::Reader(reader) => return reader.get_mut().as_mut().poll_read(cx, into),
            Content::Received(reader) => return Pin::new(reader).poll_read(cx, into),
        }
        Poll::Ready(Ok(()))
    }
}

/// Moves as many bytes as there is room for.
fn put(bytes: &mut Bytes, into: &mut ReadBuf<'_>) {
    let length = bytes.len().min(into.remaining());
    into.put_slice(&bytes[..length]);
    bytes.advance(length);
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("name", &self.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
