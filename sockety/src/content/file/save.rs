use std::{
    ffi::OsString,
    fmt,
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    pin::{Pin, pin},
    task::Poll,
};

use bytes::Bytes;

use super::{
    Content, File,
    disk::{OnDisk, on_disk},
    partial::{Durability, PartialFile},
};
use crate::error::{read::ReadError, save::SaveError};

impl File {
    /// Saves it in a directory under the name that it has, if that is [safe](Self::safe_name) and no file has it.
    ///
    /// The directory must exist. On Unix it is opened once, when saving begins, so moving or linking it later changes
    /// nothing. On Windows it is found by its path, and cannot be renamed until the file is saved. No link inside the
    /// directory is followed. The file is written under a temporary name, and gets its name when it is complete. No file is
    /// ever overwritten. On Unix, only the owner may read and write the file (mode `0600`).
    ///
    /// ```
    /// # use sockety::File;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let uploads = tempfile::tempdir()?;
    /// let file = File::from_bytes("notes.txt", "remember the milk");
    /// let saved = file.save_in(uploads.path()).await?;
    /// assert_eq!(saved.path, uploads.path().join("notes.txt"));
    /// assert_eq!(saved.size, 17);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// See [`Save`] for options, errors, and what dropping does.
    pub fn save_in(self, directory: impl AsRef<Path>) -> Save {
        Save::new(self, Target::Directory(directory.as_ref().to_owned()))
    }

    /// Saves it under a path of your choice, if no file is there. The name that the peer chose does not matter.
    ///
    /// Links on the way to the directory of the path are followed, but not one in its last component. Otherwise it is like
    /// [`save_in`](Self::save_in).
    ///
    /// ```
    /// # use sockety::File;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let uploads = tempfile::tempdir()?;
    /// # let path = uploads.path().join("4711.bin");
    /// let file = File::from_bytes("/etc/passwd", "whatever");
    /// let saved = file.save_as(&path).sync().limit(1 << 20).await?;
    /// assert_eq!(saved.path, path);
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_as(self, path: impl AsRef<Path>) -> Save {
        Save::new(self, Target::Path(path.as_ref().to_owned()))
    }
}

/// A file to be saved; made by [`File::save_in`] and [`File::save_as`]. Nothing happens until it is awaited.
///
/// Files are written on threads that may block, at most 32 files of the process at a time. A slow disk slows the sender down:
/// about half a megabyte of a file is in memory.
///
/// # Errors
/// [`SaveError`]. Then nothing is left on disk, and the connection goes on.
///
/// # Cancel safety
/// If it is dropped before it completes, the written part is removed, perhaps a moment later. If everything was written
/// already, the complete file may still appear. The unread rest of a received file is dropped, and its message goes on.
///
/// # Panics
/// Panics if it is awaited outside of a Tokio runtime.
#[must_use = "a file is not saved until this is awaited"]
pub struct Save {
    file: File,
    target: Target,
    limit: u64,
    durability: Durability,
    on_progress: OnProgress,
}

/// A file that was saved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Saved {
    /// Its path: the directory as it was passed, and the name.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

#[derive(Debug)]
enum Target {
    /// Its own name in this directory.
    Directory(PathBuf),
    Path(PathBuf),
}

type OnProgress = Box<dyn FnMut(u64, u64) + Send>;

/// A gibibyte: more than that should be somebody's decision.
const DEFAULT_LIMIT: u64 = 1 << 30;

/// How much is written at a time. As much again is gathered meanwhile.
const BATCH: usize = 256 * 1024;

impl Save {
    fn new(file: File, target: Target) -> Self {
        Self {
            file,
            target,
            limit: DEFAULT_LIMIT,
            durability: Durability::Unknown,
            on_progress: Box::new(|_, _| {}),
        }
    }

    /// Limits the size of the file, in bytes (default: 1 GiB). A file that is announced with more is refused before anything is
    /// written, and no file can have more bytes than announced.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Synchronizes the file, and then its directory, with the disk before it completes, so that the file survives a power
    /// failure. Without this, the operating system decides when to write.
    pub fn sync(mut self) -> Self {
        self.durability = Durability::Synced;
        self
    }

    /// Calls a function after each part that was written, with the number of bytes that are saved and the size of the file. It
    /// runs where the file is awaited, and should be quick.
    pub fn on_progress(mut self, on_progress: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.on_progress = Box::new(on_progress);
        self
    }

    async fn run(mut self) -> Result<Saved, SaveError> {
        let (directory, name) = self.target.resolve(&self.file)?;
        let size = self.file.size();
        if size > self.limit {
            let error = SaveError::too_large(self.file.name(), &directory, size, self.limit);
            return Err(error);
        }
        let path = directory.join(&name);
        let creating = on_disk(move || PartialFile::create(&directory, name));
        let mut writer = Writer {
            path,
            size,
            given: 0,
            saved: 0,
            state: Writing::Busy {
                work: creating,
                length: 0,
            },
            on_progress: self.on_progress,
        };
        loop {
            let mut gathering = pin!(next_batch(&mut self.file));
            let batch = loop {
                tokio::select! {
                    biased;
                    written = writer.written(), if writer.is_busy() => written?,
                    batch = &mut gathering => break batch,
                }
            };
            match batch.and_then(|batch| writer.check(batch)) {
                Ok(Some(batch)) => writer.write(batch).await?,
                Ok(None) => return writer.publish(self.durability).await,
                Err(error) => return Err(writer.give_up(error).await),
            }
        }
    }
}

impl IntoFuture for Save {
    type Output = Result<Saved, SaveError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Save {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Save")
            .field("file", &self.file)
            .field("target", &self.target)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// A directory and a name in it.
    fn resolve(&self, file: &File) -> Result<(PathBuf, OsString), SaveError> {
        match self {
            Self::Directory(directory) => Ok((directory.clone(), file.safe_name()?.into())),
            Self::Path(path) => {
                let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
                    let error = io::Error::new(io::ErrorKind::InvalidInput, "no name of a file");
                    return Err(SaveError::io("save as", path, error));
                };
                let is_here = directory.as_os_str().is_empty();
                let directory = if is_here { Path::new(".") } else { directory };
                Ok((directory.to_owned(), name.to_owned()))
            }
        }
    }
}

/// Writes what it is given, and says how far it is.
struct Writer {
    path: PathBuf,
    size: u64,
    /// How many bytes were given to it.
    given: u64,
    /// How many bytes are on disk.
    saved: u64,
    state: Writing,
    on_progress: OnProgress,
}

/// ```text
/// Busy ── done ──▶ Idle ── publish, give up ──▶ Done
///  ▲ └──────────── failed ───────────────────────▲
///  └── write ───────┘
/// ```
enum Writing {
    Busy {
        work: OnDisk<Result<PartialFile, SaveError>>,
        /// How many bytes more will be on disk.
        length: u64,
    },
    Idle(PartialFile),
    Done,
}

impl Writer {
    /// The batch, or the end, if that agrees with the announced size.
    fn check(&mut self, batch: Option<Batch>) -> io::Result<Option<Batch>> {
        let length = batch.as_ref().map_or(0, |batch| batch.length);
        self.given = self.given.saturating_add(length);
        if self.given > self.size {
            return Err(ReadError::TooLarge { limit: self.size }.into());
        }
        if batch.is_none() && self.given < self.size {
            let missing = self.size - self.given;
            return Err(ReadError::TooShort { missing }.into());
        }
        Ok(batch)
    }

    fn is_busy(&self) -> bool {
        matches!(self.state, Writing::Busy { .. })
    }

    /// Waits for what is being written. Nothing is lost when it is dropped.
    async fn written(&mut self) -> Result<(), SaveError> {
        let Writing::Busy { work, length } = &mut self.state else {
            return Ok(());
        };
        let length = *length;
        let done = work.await;
        self.state = Writing::Done;
        self.state = Writing::Idle(done.map_err(|error| self.lost(error))??);
        if length > 0 {
            self.saved += length;
            (self.on_progress)(self.saved, self.size);
        }
        Ok(())
    }

    /// Begins to write a batch when the one before it is written.
    async fn write(&mut self, batch: Batch) -> Result<(), SaveError> {
        let file = self.idle().await?;
        let Batch { chunks, length } = batch;
        let work = on_disk(move || file.write(&chunks));
        self.state = Writing::Busy { work, length };
        Ok(())
    }

    async fn publish(mut self, durability: Durability) -> Result<Saved, SaveError> {
        let file = self.idle().await?;
        let published = on_disk(move || file.publish(durability)).await;
        published.map_err(|error| self.lost(error))??;
        Ok(Saved {
            path: self.path,
            size: self.saved,
        })
    }

    /// Removes the file, which could not be read to its end.
    async fn give_up(mut self, source: io::Error) -> SaveError {
        if let Ok(file) = self.idle().await {
            drop(on_disk(move || file.remove()).await);
        }
        let path = self.path;
        SaveError::Read { path, source }
    }

    async fn idle(&mut self) -> Result<PartialFile, SaveError> {
        self.written().await?;
        match std::mem::replace(&mut self.state, Writing::Done) {
            Writing::Idle(file) => Ok(file),
            Writing::Busy { .. } | Writing::Done => {
                unreachable!("nothing is asked of it after an error, and nothing is being written")
            }
        }
    }

    fn lost(&self, error: io::Error) -> SaveError {
        SaveError::io("save", &self.path, error)
    }
}

struct Batch {
    chunks: Vec<Bytes>,
    length: u64,
}

/// What there is to write: at least one chunk, and of a received file as much as is at hand. `None` at the end.
async fn next_batch(file: &mut File) -> io::Result<Option<Batch>> {
    let Some(first) = file.next_chunk().await? else {
        return Ok(None);
    };
    let mut length = first.len();
    let mut chunks = vec![first];
    while length < BATCH {
        let Some(chunk) = chunk_at_hand(file).await else {
            break;
        };
        length += chunk.len();
        chunks.push(chunk);
    }
    let length = length as u64;
    Ok(Some(Batch { chunks, length }))
}

/// The next chunk, when it arrived already. Its end and its errors are left for later, when they come again.
async fn chunk_at_hand(file: &mut File) -> Option<Bytes> {
    // Of other files something may be lost when their chunk is not awaited.
    if !matches!(file.content, Content::Received(_)) {
        return None;
    }
    let mut chunk = pin!(file.next_chunk());
    poll_fn(|cx| match chunk.as_mut().poll(cx) {
        Poll::Ready(Ok(chunk)) => Poll::Ready(chunk),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    })
    .await
}
