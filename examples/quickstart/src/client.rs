//! The client: sends texts, then asks about them.

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Duration,
};

use sockety::{CallError, error::chain};
use tokio::{fs::File, io::AsyncReadExt};

use crate::{
    printable, say, say_part,
    service::{
        Frequency, Hit, IndexClient, IndexError, Part, Progress, ProgressServer, Query, Size,
    },
};

/// Bytes of text in one call. The framework refuses payloads over 4 MiB.
const PART_BYTES: usize = 256 * 1024;

/// Largest file in bytes: it is held in memory.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A file and its name in the index.
pub struct Source {
    pub name: String,
    pub path: PathBuf,
}

/// Returns whether all files were indexed.
pub async fn run(address: &str, sources: &[Source]) -> Result<bool, Box<dyn Error>> {
    // Either side of a connection can call: this side serves `Progress` and calls `Index`.
    let connection = sockety::connect(address.to_owned())
        .serve(ProgressServer::new(Dots))
        .await
        .map_err(|error| format!("{address}: {}", chain(&error)))?;
    let index = IndexClient::new(connection);

    say("texts");
    let width = sources.iter().map(|source| source.name.chars().count());
    let width = width.max().unwrap_or(0);
    let mut indexed = 0;
    for source in sources {
        say_part(format_args!("  {:width$} ", printable(&source.name)));
        match add(&index, source).await {
            Ok(Size { lines, words }) => {
                indexed += 1;
                say(format_args!(" {lines:7} lines {words:8} words"));
            }
            Err(error) => say(format_args!(" not indexed: {}", chain(&*error))),
        }
    }
    // One-way: awaiting it waits until it is written, not until it has arrived.
    index
        .note(format!("{indexed} of {} texts sent", sources.len()))
        .await?;
    ask(&index).await?;
    Ok(indexed == sources.len())
}

/// Prints a dot for each tenth of a text; called by the server.
struct Dots;

impl Progress for Dots {
    async fn indexed(&self, tenths: u32) {
        say_part(".".repeat(tenths.min(10) as usize));
    }
}

/// Indexes one file, in as many calls as its size requires.
async fn add(index: &IndexClient, source: &Source) -> Result<Size, Box<dyn Error>> {
    let text = read(&source.path).await?;
    let lines = text.lines().count() as u32;
    let mut size = Size { lines: 0, words: 0 };
    for part in parts(&text) {
        let part = Part {
            name: source.name.clone(),
            text: part,
            lines_before: size.lines,
            lines,
        };
        size = index.add(part).await.map_err(|error| match size.lines {
            0 => describe(error),
            done => format!("beyond line {done}: {}", describe(error)),
        })?;
    }
    Ok(size)
}

async fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    let mut bytes = Vec::new();
    let file = File::open(path).await?;
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("larger than {FILE_BYTES} bytes").into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))?;
    match text.trim_start_matches('\u{feff}') {
        "" => Err("the file is empty".into()),
        text => Ok(text.to_owned()),
    }
}

/// Splits a text between lines.
fn parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    for line in text.split_inclusive('\n') {
        if !part.is_empty() && part.len() + line.len() > PART_BYTES {
            parts.push(std::mem::take(&mut part));
        }
        part.push_str(line);
    }
    parts.push(part);
    parts
}

/// Asks for the most frequent words and where the first one occurs, and asks two questions that the
/// server refuses.
async fn ask(index: &IndexClient) -> Result<(), Box<dyn Error>> {
    let words = index.frequent(5, 8).await?;
    say("\nmost frequent words of five letters or more");
    for Frequency { word, count } in &words {
        say(format_args!("{count:7}  {word}"));
    }
    if let Some(first) = words.first() {
        search(index, &first.word).await?;
    }
    search(index, "zyzzyva").await?;
    search(index, "x").await
}

async fn search(index: &IndexClient, word: &str) -> Result<(), Box<dyn Error>> {
    let query = Query {
        word: word.to_owned(),
        context: 1,
        at_most: 2,
    };
    // An answer of the service is distinct from a failure on the way.
    match index.search(query).timeout(Duration::from_secs(5)).await {
        Ok(found) => {
            say(format_args!("\nsearch {word:?}: in {} lines", found.total));
            found.hits.iter().for_each(show);
        }
        Err(CallError::Service(IndexError::NotFound)) => {
            say(format_args!("\nsearch {word:?}: nowhere"));
        }
        Err(CallError::Service(IndexError::NotAWord { min, max, .. })) => {
            let words = format!("words of {min} to {max} letters are indexed");
            say(format_args!("search {word:?}: refused, {words}"));
        }
        Err(error) => return Err(describe(error).into()),
    }
    Ok(())
}

fn show(hit: &Hit) {
    say(format_args!("  {}", printable(&hit.name)));
    for (number, line) in (0..).zip(&hit.lines) {
        let mark = if number == hit.hit { '>' } else { ' ' };
        let line = format!(" {mark}{:6}  {:.90}", hit.first + number, printable(line));
        say(line.trim_end());
    }
}

/// The service's own errors need no explanation; for others, it matters whether the call may have
/// been executed.
fn describe(error: CallError<IndexError>) -> String {
    match error {
        CallError::Service(error) => error.to_string(),
        error => format!("{} (outcome: {:?})", chain(&error), error.outcome()),
    }
}
