//! The files and the stream of an outgoing message, and the tasks that send them.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use sockety_codec::Head;
use tokio::task::{AbortHandle, JoinSet};

use super::{
    byte_stream::ByteStream,
    file::File,
    stream_pump::{StreamPump, log_unsent},
    stream_writer::StreamWriter,
};
use crate::{
    engine::{
        lease::Lease,
        pending::ReplyClock,
        send::{
            layout::{Layout, NewFile, PartSource},
            parcel::{Parcel, Submitted},
            part_writer::PartWriter,
            payload::Payload,
            queue::Queued,
            transmissions::PartKey,
        },
    },
    error::{send::SendError, source::SourceError},
    payload::encoding::Encoding,
};

/// The files and the stream of a message that may be sent again, as far as they can be read again.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutgoingParts {
    files: Vec<Arc<Mutex<Option<File>>>>,
    stream: StreamSource,
}

/// Where the stream of a message comes from.
#[derive(Debug, Clone, Default)]
enum StreamSource {
    #[default]
    None,
    /// The sender writes it.
    Written,
    From(Arc<Mutex<Option<ByteStream>>>),
}

impl OutgoingParts {
    pub(crate) fn add_file(&mut self, file: File) {
        self.files.push(Arc::new(Mutex::new(Some(file))));
    }

    pub(crate) fn write_stream(&mut self) {
        self.stream = StreamSource::Written;
    }

    pub(crate) fn set_stream(&mut self, stream: ByteStream) {
        self.stream = StreamSource::From(Arc::new(Mutex::new(Some(stream))));
    }

    pub(crate) fn file_count(&self) -> usize {
        self.files.len()
    }

    /// The size of the largest file and of all together, of those that are not taken yet.
    pub(crate) fn file_sizes(&self) -> (u64, u64) {
        let sizes = self.files.iter().map(|file| {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.as_ref().map_or(0, File::size)
        });
        sizes.fold((0, 0), |(largest, all): (u64, u64), size| {
            (largest.max(size), all.saturating_add(size))
        })
    }

    pub(crate) fn has_stream(&self) -> bool {
        !matches!(self.stream, StreamSource::None)
    }

    /// Whether some of it was sent that can be read only once, so that it cannot be sent again.
    pub(crate) fn is_taken(&self) -> bool {
        let is_stream_taken = match &self.stream {
            StreamSource::From(stream) => is_taken(stream),
            StreamSource::None | StreamSource::Written => false,
        };
        is_stream_taken || self.files.iter().any(|file| is_taken(file))
    }

    /// Takes what one sending of the message needs: `None` when there is neither a file nor a
    /// stream.
    ///
    /// What can be read only once is gone afterwards, even if the message is never sent.
    pub(crate) fn take(&self, unwritten: Unwritten) -> Result<Option<Box<Taken>>, SendError> {
        let files: Vec<File> = self.files.iter().map(take_file).collect::<Result<_, _>>()?;
        let mut sources = Vec::new();
        let stream = match &self.stream {
            StreamSource::None => None,
            // r[impl content.stream.unwritten]
            StreamSource::Written if unwritten == Unwritten::Ends => {
                Some(PartSource::Whole(Bytes::new()))
            }
            StreamSource::Written => {
                sources.push((0, Source::Sender));
                Some(PartSource::Written)
            }
            StreamSource::From(stream) => {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                sources.push((0, Source::Stream(stream.ok_or(SendError::ContentTaken)?)));
                Some(PartSource::Written)
            }
        };
        let first_file = usize::from(stream.is_some());
        let announced = files.iter().map(|file| NewFile {
            name: file.shared_name(),
            size: file.size(),
            source: file
                .in_memory()
                .map_or(PartSource::Written, PartSource::Whole),
        });
        let Some(layout) = Layout::new(stream, announced) else {
            return Ok(None);
        };
        let on_disk = files
            .into_iter()
            .enumerate()
            .filter(|(_, file)| file.in_memory().is_none());
        sources.extend(on_disk.map(|(index, file)| (first_file + index, Source::File(file))));
        Ok(Some(Box::new(Taken { layout, sources })))
    }
}

fn is_taken<T>(part: &Mutex<Option<T>>) -> bool {
    let part = part.lock().unwrap_or_else(PoisonError::into_inner);
    part.is_none()
}

fn take_file(file: &Arc<Mutex<Option<File>>>) -> Result<File, SendError> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    let again = file.as_ref().and_then(File::again);
    again.or_else(|| file.take()).ok_or(SendError::ContentTaken)
}

/// What one message announces, and where the bytes come from.
#[derive(Debug)]
pub(crate) struct Taken {
    layout: Layout,
    /// The sources of the parts that are not in memory, by the number of the part.
    sources: Vec<(usize, Source)>,
}

#[derive(Debug)]
enum Source {
    File(File),
    Stream(ByteStream),
    /// The sender of the message gets a writer.
    Sender,
}

/// A message or a response with what was taken for it.
pub(crate) fn parcel<'a>(
    head: impl Into<Head<'a>>,
    payload: &'a Encoding,
    taken: &'a mut Option<Box<Taken>>,
    clock: ReplyClock,
) -> Parcel<'a> {
    Parcel {
        head: head.into(),
        payload: Payload::of(payload),
        layout: taken.as_mut().map(|taken| &mut taken.layout),
        clock,
        along: None,
        metadata: None,
        retry: None,
    }
}

/// What to do with a stream that the sender declared but may not write.
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
    /// The writer of its stream, if the sender writes it.
    pub(crate) stream: Option<StreamWriter>,
    pub(crate) pump: Pump,
}

impl Sending {
    /// Starts the tasks that read its files and its stream.
    pub(crate) fn start(lease: Lease, submitted: Submitted, taken: Option<Box<Taken>>) -> Self {
        // First, as the writers rely on it: it holds the entry of the transmission.
        let queued = Queued::new(lease, submitted);
        let (stream, pump) = match (submitted.transmission, taken) {
            (Some(transmission), Some(taken)) => {
                Pump::start(queued.lease(), transmission, taken.sources)
            }
            _ => (None, Pump::default()),
        };
        Self {
            queued,
            stream,
            pump,
        }
    }
}

/// The tasks that send the files and the stream of a message. Dropping it aborts the message,
/// unless all of it was sent.
#[derive(Debug, Default)]
pub(crate) struct Pump {
    message: Option<(Lease, u64)>,
    tasks: Vec<AbortHandle>,
}

impl Pump {
    fn start(
        lease: &Lease,
        transmission: u64,
        sources: Vec<(usize, Source)>,
    ) -> (Option<StreamWriter>, Self) {
        let (mut stream, mut files, mut tasks) = (None, Vec::new(), Vec::new());
        for (part, source) in sources {
            let writer = PartWriter::new(lease.clone(), PartKey { transmission, part });
            match source {
                Source::File(file) => files.push((file, writer)),
                Source::Stream(from) => {
                    tasks.push(tokio::spawn(StreamPump::new(from, writer)).abort_handle());
                }
                Source::Sender => stream = Some(StreamWriter::new(writer)),
            }
        }
        if !files.is_empty() {
            tasks.push(tokio::spawn(send_files(files)).abort_handle());
        }
        let message = Some((lease.clone(), transmission));
        (stream, Self { message, tasks })
    }

    /// From now on, the message is sent to its end, whether anybody waits for it or not.
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
                .shared()
                .change(|state| state.abort(*transmission, error));
        }
    }
}

/// Sends files one after the other, so that each file on disk is open only while it is sent. A peer
/// that grants credit may wait for one before its turn: that is sent besides.
async fn send_files(files: Vec<(File, PartWriter)>) {
    let needs_credit = files.len() > 1 && files[0].1.needs_credit();
    if needs_credit {
        return send_files_as_wanted(files).await;
    }
    for (file, writer) in files {
        if send_or_abort(file, writer).await.is_err() {
            return;
        }
    }
}

async fn send_files_as_wanted(files: Vec<(File, PartWriter)>) {
    let mut files: VecDeque<_> = files.into();
    // Aborted when this is dropped.
    let mut running = JoinSet::new();
    let mut in_turn = None;
    while !files.is_empty() || !running.is_empty() {
        let next = match in_turn {
            None => files.pop_front(),
            Some(_) => None,
        };
        if let Some((file, writer)) = next {
            let part = writer.part();
            in_turn = Some(part);
            running.spawn(send_numbered(file, writer));
        }
        let wanted = poll_fn(|cx| match files.front() {
            // Any writer can ask for the message.
            Some((_, writer)) => writer.poll_wanted(cx),
            None => Poll::Pending,
        });
        tokio::select! {
            biased;
            part = wanted => {
                let place = files.iter().position(|(_, writer)| writer.part() == part);
                if let Some((file, writer)) = place.and_then(|place| files.remove(place)) {
                    running.spawn(send_numbered(file, writer));
                }
            }
            Some(sent) = running.join_next() => {
                let Ok((part, Ok(()))) = sent else {
                    return;
                };
                if in_turn == Some(part) {
                    in_turn = None;
                }
            }
        }
    }
}

async fn send_numbered(file: File, writer: PartWriter) -> (usize, Result<(), Aborted>) {
    let part = writer.part();
    (part, send_or_abort(file, writer).await)
}

/// The message was aborted.
struct Aborted;

async fn send_or_abort(file: File, mut writer: PartWriter) -> Result<(), Aborted> {
    match send_file(file, &mut writer).await {
        Ok(()) | Err(SourceError::Unwanted) => Ok(()),
        Err(error) => {
            // Other errors say what became of the message, and are not the source's.
            if let SourceError::Read { .. } | SourceError::SizeChanged { .. } = error {
                log_unsent("file", &error);
            }
            writer.abort(error);
            Err(Aborted)
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
        file.report(found);
    }
    if found < file.size() {
        return Err(file.size_changed(found));
    }
    writer.finish()
}
