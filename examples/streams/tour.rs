//! Server and client in one process. They communicate over TCP.

use std::{path::Path, time::Duration};

use sockety::{ByteStream, File, Server, Streaming, error::StreamError, serve::BoxError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use crate::{
    client::{Client, Tail},
    printable, readme, say, server,
    service::{Program, TailError},
};

pub async fn run() -> Result<(), BoxError> {
    // Removed when dropped, whatever happens in between.
    let folder = tempfile::tempdir()?;
    let server = Server::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?.to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(server::service(folder.path())?));

    let done = show_all(&address, folder.path()).await;

    handle.stop();
    serving.await??;
    folder.close()?;
    done
}

async fn show_all(address: &str, folder: &Path) -> Result<(), BoxError> {
    let client = Client::connect(address).await?;
    show_tail(&client, folder).await?;
    show_statistics(&client).await?;
    show_pipe(&client).await
}

/// A log that is written meanwhile, and then removed.
async fn show_tail(client: &Client, folder: &Path) -> Result<(), BoxError> {
    say("A live tail: items of a type, and an error of a type");
    let path = folder.join("app.log");
    let log = tokio::fs::File::create(&path).await?;
    let writing = tokio::spawn(async move {
        write_log(log).await?;
        tokio::fs::remove_file(path).await
    });

    let mut tail = client.tail("app.log".to_owned()).await?;
    print_lines(&mut tail, 4).await?;
    drop(tail);
    say("  four are enough: dropped");

    let mut tail = client.tail("app.log".to_owned()).await?;
    match print_lines(&mut tail, u64::MAX).await {
        Err(StreamError::Service(TailError::Vanished { lines })) => {
            say(format_args!("  the file vanished after line {lines}"));
        }
        Err(error) => return Err(error.into()),
        Ok(()) => return Err("the tail ended although the file vanished".into()),
    }
    writing.await??;
    Ok(())
}

async fn write_log(mut log: tokio::fs::File) -> std::io::Result<()> {
    for request in 1..=8 {
        let line = format!("request {request} took {} ms\n", request * 37 % 50);
        log.write_all(line.as_bytes()).await?;
        log.flush().await?;
        sleep(Duration::from_millis(60)).await;
    }
    Ok(())
}

async fn print_lines(tail: &mut Tail, at_most: u64) -> Result<(), StreamError<TailError>> {
    for _ in 0..at_most {
        let Some(line) = tail.lines.next().await.transpose()? else {
            break;
        };
        say(format_args!(
            "  {:3}  {}",
            line.number,
            printable(&line.text)
        ));
    }
    Ok(())
}

/// The reply begins while the request continues: each number is answered before the next one is
/// sent.
async fn show_statistics(client: &Client) -> Result<(), BoxError> {
    say("\nStatistics: items both ways at the same time");
    let (sender, numbers) = Streaming::channel(1);
    let mut statistics = client.bench.statistics(numbers).await?;
    for number in [3.0, 5.0, 10.0] {
        sender.send(Ok(number)).await?;
        say(format_args!("  sent      {number}"));
        let now = statistics.next().await.ok_or("no answer")??;
        say(format_args!("  received  {now}"));
    }
    sender.finish();
    say("  sent      the end");
    match statistics.next().await.transpose()? {
        None => say("  received  the end"),
        Some(more) => return Err(format!("received more than was sent: {more}").into()),
    }
    Ok(())
}

/// Sends a file of the repository through programs on the server.
async fn show_pipe(client: &Client) -> Result<(), BoxError> {
    say("\nPipes: README.md through programs of the server");
    let input = File::open(readme()).await?.bytes(1 << 20).await?;
    let input = String::from_utf8(input.into())?;

    let sorted = pipe(client, Program::Sort).await?;
    let mut expected: Vec<&str> = input.lines().collect();
    expected.sort_unstable();
    if !sorted.lines().eq(expected.iter().copied()) {
        return Err("`sort` returned something else than the lines in order".into());
    }
    let first = expected.iter().find(|line| line.len() > 3).unwrap_or(&"");
    let (lines, first) = (expected.len(), printable(first));
    say(format_args!(
        "  sort       {lines} lines in order, such as {first:.50?}"
    ));

    let counted = pipe(client, Program::Wc).await?;
    say(format_args!("  wc         {}", counted.trim()));

    let upper = pipe(client, Program::Tr).await?;
    if upper != input.to_ascii_uppercase() {
        return Err("`tr` returned something else than upper case".into());
    }
    let first = printable(upper.lines().next().unwrap_or_default());
    say(format_args!("  tr a-z A-Z {first}"));
    Ok(())
}

async fn pipe(client: &Client, program: Program) -> Result<String, BoxError> {
    // A file is a reader too.
    let input = ByteStream::from_reader(File::open(readme()).await?);
    let mut output = String::new();
    let mut stream = client.bench.pipe(program, input).await?;
    stream.read_to_string(&mut output).await?;
    Ok(output)
}
