//! The client: sends files, several per call and several calls concurrently.

use std::{
    error::Error,
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use indicatif::{BinaryBytes, ProgressBar};
use sockety::{
    CallError, File, Options,
    error::{NoError, chain},
};
use tokio::{io::AsyncReadExt, sync::oneshot, task::spawn_blocking};

use crate::{
    hashing::Hashing,
    screen::{Screen, printable},
    service::{DropBoxClient, Entry},
    sources::{self, Source},
};

/// Files up to this size are read before they are sent, many in one call: problems with a file are
/// known beforehand, and do not affect the others. A larger file is streamed in a separate call: if
/// reading it fails, so does its call.
const SMALL: u64 = 16 * 1024;

/// Number of small files in one call.
const TOGETHER: usize = 64;

const CALLS_AT_A_TIME: usize = 4;

/// Both tables, and the problems.
pub struct Report {
    pub sent: Vec<Entry>,
    pub saved: Vec<Entry>,
    pub failed: usize,
    calls: usize,
    time: Duration,
}

pub async fn run(
    address: &str,
    paths: &[PathBuf],
    screen: &Screen,
) -> Result<Report, Box<dyn Error>> {
    let paths = paths.to_owned();
    let (sources, problems) = spawn_blocking(move || sources::find(&paths)).await?;
    for problem in &problems {
        screen.complain(format_args!("not sent: {}", printable(problem)));
    }
    // A large file takes time. If the server stops reading, the connection ends, and with it all
    // calls.
    let options = Options::default().call_timeout(None);
    let client = DropBoxClient::new(
        sockety::connect(address.to_owned())
            .options(options)
            .await?,
    );

    let total = sources.iter().map(|source| source.size).sum();
    let bar = screen.bar(format!("sending {} files", sources.len()), total);
    let calls = calls(sources);
    let start = Instant::now();
    let mut report = Report {
        sent: Vec::new(),
        saved: Vec::new(),
        failed: problems.len(),
        calls: calls.len(),
        time: Duration::ZERO,
    };
    let mut deliveries = stream::iter(calls)
        .map(|sources| deliver(&client, sources, &bar))
        .buffer_unordered(CALLS_AT_A_TIME);
    while let Some(outcomes) = deliveries.next().await {
        for outcome in outcomes {
            report.add(outcome, screen);
        }
    }
    report.time = start.elapsed();
    Ok(report)
}

/// What each call sends.
fn calls(sources: Vec<Source>) -> Vec<Vec<Source>> {
    let (small, large): (Vec<_>, Vec<_>) =
        sources.into_iter().partition(|source| source.size <= SMALL);
    let mut calls: Vec<Vec<Source>> = large.into_iter().map(|source| vec![source]).collect();
    let mut small = small.into_iter().peekable();
    while small.peek().is_some() {
        calls.push(small.by_ref().take(TOGETHER).collect());
    }
    calls
}

/// The result for a file: as it was sent and as it was saved, or why it was not.
type Outcome = Result<(Entry, Entry), String>;

/// Sends files in one call.
async fn deliver(client: &DropBoxClient, sources: Vec<Source>, bar: &ProgressBar) -> Vec<Outcome> {
    let (mut outcomes, mut opened, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        match open(&source, bar).await {
            Ok((file, hash)) => {
                opened.push((source, file.size(), hash));
                files.push(file);
            }
            Err(error) => outcomes.push(failure(&source, &chain(&*error).to_string())),
        }
    }
    if files.is_empty() {
        return outcomes;
    }
    match client.put(files).await {
        Ok(mut answers) => {
            answers.resize_with(opened.len(), || Err("the server says nothing of it".into()));
            for ((source, size, hash), answer) in opened.into_iter().zip(answers) {
                outcomes.push(match answer {
                    Ok(saved) => compare(source, size, hash, saved).await,
                    Err(reason) => failure(&source, &format!("refused: {reason}")),
                });
            }
        }
        Err(error) => {
            let reason = describe(&error);
            outcomes.extend(opened.iter().map(|(source, ..)| failure(source, &reason)));
        }
    }
    outcomes
}

/// A file that is hashed and moves the bar while it is read, and its hash, when it was read
/// completely.
async fn open(
    source: &Source,
    bar: &ProgressBar,
) -> Result<(File, oneshot::Receiver<String>), Box<dyn Error + Send + Sync>> {
    // A `File` is also a reader. This one is opened at its first read, so that few are open at a
    // time.
    let file = File::open(&source.path).await?.with_name(&source.name);
    file.safe_name()?;
    let (name, size) = (file.name().to_owned(), file.size());
    let (hashing, hash) = Hashing::new(file);
    let mut reader = bar.wrap_async_read(hashing);
    if size > SMALL {
        return Ok((File::from_reader(name, size, reader), hash));
    }
    let mut content = Vec::new();
    let mut limited = (&mut reader).take(SMALL + 1);
    limited.read_to_end(&mut content).await?;
    if content.len() as u64 > SMALL {
        return Err("it grew while it was read".into());
    }
    Ok((File::from_bytes(name, content), hash))
}

async fn compare(
    source: Source,
    size: u64,
    hash: oneshot::Receiver<String>,
    saved: Entry,
) -> Outcome {
    let Ok(sha256) = hash.await else {
        return failure(&source, "answered before it was read to its end");
    };
    let name = source.name;
    Ok((Entry { name, size, sha256 }, saved))
}

fn failure(source: &Source, reason: &str) -> Outcome {
    Err(format!("{}: {reason}", source.path.display()))
}

/// For failures on the way, it matters whether the file may have been saved.
fn describe(error: &CallError<NoError>) -> String {
    format!("{} (outcome: {:?})", chain(error), error.outcome())
}

impl Report {
    fn add(&mut self, outcome: Outcome, screen: &Screen) {
        match outcome {
            Ok((sent, saved)) => {
                if sent != saved {
                    screen.complain(format_args!("sent  {sent}\nsaved {saved}"));
                }
                self.sent.push(sent);
                self.saved.push(saved);
            }
            Err(problem) => {
                self.failed += 1;
                screen.complain(format_args!("not sent: {}", printable(&problem)));
            }
        }
    }

    pub fn is_equal(&self) -> bool {
        self.sent == self.saved
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, calls) = (self.sent.len(), self.calls);
        let all = files + self.failed;
        let bytes: u64 = self.sent.iter().map(|entry| entry.size).sum();
        let seconds = self.time.as_secs_f64();
        let rate = BinaryBytes((bytes as f64 / seconds) as u64);
        let bytes = BinaryBytes(bytes);
        write!(
            f,
            "{files} of {all} files, {bytes} in {seconds:.2} s, {rate}/s, calls: {calls}"
        )
    }
}
