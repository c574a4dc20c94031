//! The service of the simulation, and what it records in the history.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sockety::{ByteStream, File, service};
use tokio::time::sleep;

use crate::history::History;

#[service]
pub(crate) trait Work {
    async fn ping(&self);
    async fn echo(&self, call: u64, text: String) -> String;
    async fn wait(&self, call: u64, millis: u64) -> u64;
    async fn gather(&self, call: u64, size: u64, stream: ByteStream) -> u64;
    async fn store(&self, call: u64, file: File) -> u64;
    async fn produce(&self, call: u64, size: u64) -> ByteStream;
    /// Reads a chunk, waits, and reads the next.
    async fn dawdle(&self, call: u64, millis: u64, stream: ByteStream);
    /// Reads nothing.
    async fn neglect(&self, call: u64, stream: ByteStream);
}

/// Serves, and notes what it begins.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) history: History,
}

impl Work for Worker {
    async fn ping(&self) {}

    async fn echo(&self, call: u64, text: String) -> String {
        self.history.begin(call);
        text
    }

    async fn wait(&self, call: u64, millis: u64) -> u64 {
        self.history.begin(call);
        sleep(Duration::from_millis(millis)).await;
        call
    }

    async fn gather(&self, call: u64, size: u64, stream: ByteStream) -> u64 {
        self.history.begin(call);
        read(&self.history, call, size, stream).await
    }

    async fn store(&self, call: u64, file: File) -> u64 {
        self.history.begin(call);
        let size = file.size();
        let bytes = file.bytes(u64::MAX).await;
        if let Ok(bytes) = &bytes {
            self.history.is_whole(call, bytes.len() as u64, size);
        }
        bytes.map_or(0, |bytes| bytes.len() as u64)
    }

    async fn produce(&self, call: u64, size: u64) -> ByteStream {
        self.history.begin(call);
        content(&self.history, call, size)
    }

    async fn dawdle(&self, call: u64, millis: u64, mut stream: ByteStream) {
        self.history.begin(call);
        while let Ok(Some(chunk)) = stream.next_chunk().await {
            self.history.take(call, chunk.len() as u64);
            sleep(Duration::from_millis(millis)).await;
        }
        // If it was given up, nothing of it is kept any longer.
        self.history.take(call, u64::MAX / 2);
    }

    async fn neglect(&self, call: u64, mut stream: ByteStream) {
        self.history.begin(call);
        sleep(Duration::from_secs(100)).await;
        // So that it is the connection that abandons the stream, and not its reader.
        let _ = stream.next_chunk().await;
    }
}

const CHUNK: u64 = 8 * 1024;

/// A stream of this many bytes. What leaves it is noted.
pub(crate) fn content(history: &History, call: u64, size: u64) -> ByteStream {
    let history = history.clone();
    let chunks = stream::unfold(size, move |rest| {
        let count = rest.min(CHUNK);
        history.hand_over(call, count);
        async move { (count > 0).then(|| (Ok(Bytes::from(vec![7; count as usize])), rest - count)) }
    });
    ByteStream::from_stream(chunks.boxed())
}

/// Reads to the end, which comes only when all is there. Gives how much was read.
pub(crate) async fn read(history: &History, call: u64, size: u64, mut stream: ByteStream) -> u64 {
    let mut count = 0;
    loop {
        match stream.next_chunk().await {
            Ok(Some(chunk)) => count += chunk.len() as u64,
            Ok(None) => {
                history.is_whole(call, count, size);
                return count;
            }
            Err(_) => return count,
        }
    }
}
