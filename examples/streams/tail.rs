//! A growing log as a stream of its lines.

use std::{
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use sockety::{Streaming, content::StreamSender, error::chain, serve::BoxError};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, BufReader},
    time::sleep,
};

use crate::service::{Line, TailError};

/// How often a log is checked.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest line in bytes: longer ones are cut, so that no item is large.
const LONGEST: usize = 64 * 1024;

/// Number of lines that can wait for a slow reader. Beyond that, reading the log pauses until the
/// reader takes some.
const WAITING: usize = 64;

pub struct Log {
    path: PathBuf,
    file: BufReader<File>,
    /// What was read of the current, unfinished line.
    begun: Vec<u8>,
    lines: u64,
    bytes: u64,
}

impl Log {
    /// Opens a log, if it is in the folder: a peer must not read any file whose path it knows.
    pub async fn open(folder: &Path, path: &str) -> Result<Self, TailError> {
        // With links and `..` resolved.
        let path = tokio::fs::canonicalize(folder.join(path)).await;
        let path = path.map_err(|_| TailError::NotFound)?;
        if !path.starts_with(folder) || !path.is_file() {
            return Err(TailError::NotFound);
        }
        let file = File::open(&path).await.map_err(unreadable)?;
        Ok(Self {
            path,
            file: BufReader::new(file),
            begun: Vec::new(),
            lines: 0,
            bytes: 0,
        })
    }

    /// Streams its lines until `listening` ends. If the connection is gone, both break off.
    pub fn follow_while(self, mut listening: Streaming<()>) -> Streaming<Line, TailError> {
        Streaming::spawn(WAITING, |lines| async move {
            let is_over = async {
                while let Some(item) = listening.next().await {
                    item?;
                }
                Ok(())
            };
            // A `TailError` reaches the caller as such.
            tokio::select! {
                followed = self.follow(&lines) => followed,
                is_over = is_over => is_over,
            }
        })
    }

    async fn follow(mut self, lines: &StreamSender<Line, TailError>) -> Result<(), BoxError> {
        loop {
            // Checked first but judged after the lines were sent, so that those of a file that
            // vanishes are sent too.
            let (found, read) = (tokio::fs::metadata(&self.path).await, self.bytes);
            while let Some(line) = self.next_line().await.map_err(unreadable)? {
                lines.send(Ok(line)).await?;
            }
            self.check(found, read)?;
            sleep(PAUSE).await;
        }
    }

    /// Whether the file still existed, together with what was read of it until then.
    fn check(&self, found: io::Result<Metadata>, read: u64) -> Result<(), TailError> {
        let lines = self.lines;
        match found {
            Ok(file) if file.len() < read => Err(TailError::Truncated { lines }),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(TailError::Vanished { lines })
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    /// The next complete line; `None` if there is none yet.
    async fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let read = self.file.fill_buf().await?;
            if read.is_empty() {
                return Ok(None);
            }
            let room = read.len().min(LONGEST - self.begun.len());
            let end = read[..room].iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(room, |end| end + 1);
            self.begun.extend_from_slice(&read[..end.unwrap_or(room)]);
            self.file.consume(taken);
            self.bytes += taken as u64;
            if end.is_some() || self.begun.len() == LONGEST {
                self.lines += 1;
                let text = String::from_utf8_lossy(&self.begun).into_owned();
                self.begun.clear();
                let number = self.lines;
                return Ok(Some(Line { number, text }));
            }
        }
    }
}

fn unreadable(error: io::Error) -> TailError {
    TailError::Unreadable {
        reason: chain(&error).to_string(),
    }
}
