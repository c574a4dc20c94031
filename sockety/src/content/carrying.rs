//! What an outgoing message carries beside its payload, and how it is sent.

use std::sync::{Arc, Mutex, PoisonError};

use sockety_codec::FileIndex;
use tokio::task::AbortHandle;

use super::{byte_stream::ByteStream, file::File, stream_writer::StreamWriter};
use crate::{
    engine::{
        lease::Lease,
        send::{
            entry::Span,
            layout::{Layout, NewPart, PartKind},
            part_writer::PartWriter,
            queue::Queued,
            transmissions::PartKey,
        },
    },
    error::{send::SendError, source::SourceError},
};

/// Files and stream of a message that may be sent again, as far as they can be read again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carrying {
    files: Vec<Arc<Mutex<Option<File>>>>,
    stream: StreamPlan,
}

/// Where the stream of a message comes from.
#[derive(Debug, Clone, Default)]
enum StreamPlan {
    #[default]
    None,
    /// The sender writes it.
    Written,
    From(Arc<Mutex<Option<ByteStream>>>),
}

impl Carrying {
    pub(crate) fn add_file(&mut self, file: File) {
        self.files.push(Arc::new(Mutex::new(Some(file))));
    }

    pub(crate) fn write_stream(&mut self) {
        self.stream = StreamPlan::Written;
    }

    pub(crate) fn set_stream(&mut self, stream: ByteStream) {
        self.stream = StreamPlan::From(Arc::new(Mutex::new(Some(stream))));
    }

    pub(crate) fn file_count(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn has_stream(&self) -> bool {
        !matches!(self.stream, StreamPlan::None)
    }

    /// What this sending of the message carries.
    pub(crate) fn take(&self) -> Result<Cargo, SendError> {
        let files = self.files.iter().map(take_file).collect::<Result<_, _>>()?;
        let stream = match &self.stream {
            StreamPlan::None => CargoStream::None,
            StreamPlan::Written => CargoStream::Written,
            StreamPlan::From(stream) => {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                CargoStream::From(stream.ok_or(SendError::ContentTaken)?)
            }
        };
        Ok(Cargo { files, stream })
    }
}

fn take_file(file: &Arc<Mutex<Option<File>>>) -> Result<File, SendError> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    let again = file.as_ref().and_then(File::again);
    again.or_else(|| file.take()).ok_or(SendError::ContentTaken)
}

/// What one message carries.
#[derive(Debug, Default)]
pub(crate) struct Cargo {
    files: Vec<File>,
    stream: CargoStream,
}

#[derive(Debug, Default)]
enum CargoStream {
    #[default]
    None,
    Written,
    From(ByteStream),
}

/// What becomes of a stream that the sender is to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The sender gets a writer.
    Waits,
    /// It ends at once: nobody can write it.
    Ends,
}

/// A message that is being sent.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) queued: Queued,
    pub(crate) stream: Option<StreamWriter>,
    pub(crate) pump: Pump,
}

impl Sending {
    pub(crate) fn whole(lease: Lease, span: Span) -> Self {
        Self {
            queued: Queued::whole(lease, span),
            stream: None,
            pump: Pump::default(),
        }
    }

    pub(crate) fn carrying(
        lease: Lease,
        span: Span,
        transmission: u64,
        cargo: Cargo,
        unwritten: Unwritten,
    ) -> Self {
        let (stream, pump) = cargo.start(&lease, transmission, unwritten);
        Self {
            queued: Queued::carrying(lease, span, transmission),
            stream,
            pump,
        }
    }
}

impl Cargo {
    fn has_stream(&self) -> bool {
        !matches!(self.stream, CargoStream::None)
    }

    /// How it stands on the wire.
    pub(crate) fn plan(&self, unwritten: Unwritten) -> Layout {
        let files = self
            .files
            .iter()
            .map(|file| (file.shared_name(), file.size()))
            .collect();
        Layout {
            has_stream: self.has_stream(),
            files,
            parts: self.parts(unwritten),
        }
    }

    /// The stream first, then the files.
    fn parts(&self, unwritten: Unwritten) -> Vec<NewPart> {
        let stream = match self.stream {
            CargoStream::None => None,
            // r[impl content.stream.unwritten]
            CargoStream::Written if unwritten == Unwritten::Ends => Some(Some(bytes::Bytes::new())),
            CargoStream::Written | CargoStream::From(_) => Some(None),
        };
        let stream = stream.map(|whole| NewPart {
            kind: PartKind::Stream,
            whole,
        });
        let file = |(index, file): (usize, &File)| {
            // An index beyond the wire's is refused with the message's head.
            let index = u32::try_from(index).ok().and_then(FileIndex::new)?;
            Some(NewPart {
                kind: PartKind::File(index),
                whole: file.in_memory(),
            })
        };
        stream
            .into_iter()
            .chain(self.files.iter().enumerate().filter_map(file))
            .collect()
    }

    /// Sends what does not come by itself, in a task, and gives the writer of the stream if the sender writes it.
    pub(crate) fn start(
        self,
        lease: &Lease,
        transmission: u64,
        unwritten: Unwritten,
    ) -> (Option<StreamWriter>, Pump) {
        let writer = |part| PartWriter::new(lease.clone(), PartKey { transmission, part });
        let first_file = usize::from(self.has_stream());
        let (written, from) = match self.stream {
            CargoStream::None => (None, None),
            CargoStream::Written if unwritten == Unwritten::Ends => (None, None),
            CargoStream::Written => (Some(StreamWriter::new(writer(0))), None),
            CargoStream::From(stream) => (None, Some((stream, writer(0)))),
        };
        let files: Vec<_> = self
            .files
            .into_iter()
            .enumerate()
            .filter(|(_, file)| file.in_memory().is_none())
            .map(|(index, file)| (file, writer(first_file + index)))
            .collect();
        (
            written,
            Pump::start(lease.clone(), transmission, files, from),
        )
    }
}

/// What sends the files and streams of a message. Dropping it gives the message up, if it is being sent still.
#[derive(Debug, Default)]
pub(crate) struct Pump {
    message: Option<(Lease, u64)>,
    tasks: Vec<AbortHandle>,
}

impl Pump {
    fn start(
        lease: Lease,
        transmission: u64,
        files: Vec<(File, PartWriter)>,
        stream: Option<(ByteStream, PartWriter)>,
    ) -> Self {
        let mut tasks = Vec::new();
        if !files.is_empty() {
            tasks.push(tokio::spawn(send_files(files)).abort_handle());
        }
        if let Some((stream, writer)) = stream {
            tasks.push(tokio::spawn(send_stream(stream, writer)).abort_handle());
        }
        Self {
            message: Some((lease, transmission)),
            tasks,
        }
    }

    /// The message is sent to its end whoever waits for it.
    pub(crate) fn detach(&mut self) {
        self.message = None;
        self.tasks.clear();
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        if let Some((lease, transmission)) = &self.message {
            let error = SourceError::GivenUp;
            lease
                .shared
                .change(|state| state.abort(*transmission, error));
        }
    }
}

/// One after another: each disk file is open only while it is sent.
async fn send_files(files: Vec<(File, PartWriter)>) {
    for (file, mut writer) in files {
        if let Err(error) = send_file(file, &mut writer).await {
            writer.abort(error);
            return;
        }
    }
}

async fn send_file(mut file: File, writer: &mut PartWriter) -> Result<(), SourceError> {
    let mut found = 0;
    while let Some(chunk) = file
        .next_chunk_of(writer.disk_chunk())
        .await
        .map_err(|error| file.read_error(error))?
    {
        found += chunk.len() as u64;
        if found > file.size() {
            return Err(file.size_changed(found));
        }
        writer.push(chunk).await?;
    }
    if found < file.size() {
        return Err(file.size_changed(found));
    }
    writer.finish()
}

async fn send_stream(stream: ByteStream, mut writer: PartWriter) {
    if let Err(error) = send_chunks(stream, &mut writer).await {
        writer.abort(error);
    }
}

async fn send_chunks(mut stream: ByteStream, writer: &mut PartWriter) -> Result<(), SourceError> {
    while let Some(chunk) = stream.next_chunk().await.map_err(stream_error)? {
        writer.push(chunk).await?;
    }
    writer.finish()
}

/// Items of a typed stream are encoded while it is read.
fn stream_error(error: std::io::Error) -> SourceError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(SendError::Encode(error)) => SourceError::Encode(Arc::clone(error)),
        _ => SourceError::Read {
            name: "".into(),
            error: Arc::new(error),
        },
    }
}
