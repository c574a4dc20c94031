//! The client's half of each method, as a program for a terminal.

use sockety::{
    ByteStream, Streaming,
    content::StreamSender,
    error::{NoError, StreamError},
    serve::BoxError,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout};

use crate::{
    printable,
    service::{BenchClient, Line, Program, TailError},
    try_say,
};

pub enum Task {
    Tail(String),
    Statistics,
    Pipe(Program),
}

pub struct Client {
    pub bench: BenchClient,
}

impl Client {
    pub async fn connect(address: &str) -> Result<Self, BoxError> {
        let bench = BenchClient::connect(address.to_owned()).await?;
        Ok(Self { bench })
    }

    pub async fn run(&self, task: Task) -> Result<(), BoxError> {
        match task {
            Task::Tail(path) => self.print_tail(path).await,
            Task::Statistics => self.print_statistics().await,
            Task::Pipe(program) => self.print_output(program).await,
        }
    }

    /// Follows a log as long as the tail is kept.
    pub async fn tail(&self, path: String) -> Result<Tail, BoxError> {
        let (listening, open) = Streaming::channel(1);
        let lines = self.bench.tail(path, open).await?;
        Ok(Tail {
            lines,
            listening: Some(listening),
        })
    }

    async fn print_tail(&self, path: String) -> Result<(), BoxError> {
        let mut tail = self.tail(path).await?;
        while let Some(line) = tail.lines.next().await {
            let Line { number, text } = line.map_err(|error| match error {
                StreamError::Service(error) => BoxError::from(error),
                error => error.into(),
            })?;
            if try_say(format_args!("{number:7}  {}", printable(&text))).is_err() {
                break; // `| head` has seen enough.
            }
        }
        Ok(())
    }

    async fn print_statistics(&self) -> Result<(), BoxError> {
        let (sender, numbers) = Streaming::channel(16);
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(stdin()).lines();
            while let Some(line) = lines.next_line().await? {
                let number: f64 = line
                    .trim()
                    .parse()
                    .map_err(|_| format!("{line:?} is no number"))?;
                if sender.send(Ok(number)).await.is_err() {
                    break;
                }
            }
            sender.finish();
            Ok::<_, BoxError>(())
        });
        let shown = async {
            let mut statistics = self.bench.statistics(numbers).await?;
            while let Some(next) = statistics.next().await {
                try_say(next?)?;
            }
            Ok(())
        };
        let shown = shown.await;
        // If the numbers could not be read, that is why the statistics broke off.
        if shown.is_ok() || reading.is_finished() {
            reading.await??;
        }
        shown
    }

    async fn print_output(&self, program: Program) -> Result<(), BoxError> {
        // Nothing is read from it before the server takes it.
        let input = ByteStream::from_reader(stdin());
        let mut output = self.bench.pipe(program, input).await?;
        let mut stdout = stdout();
        while let Some(chunk) = output.next_chunk().await? {
            stdout.write_all(&chunk).await?;
        }
        stdout.flush().await?;
        Ok(())
    }
}

/// Dropping it ends it on both sides.
pub struct Tail {
    pub lines: Streaming<Line, TailError>,
    /// The sender of a stream without items, whose end tells the server to stop.
    listening: Option<StreamSender<(), NoError>>,
}

impl Drop for Tail {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.finish();
        }
    }
}
