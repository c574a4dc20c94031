//! Sends bytes through a program, like `ssh HOST sort`.

use std::{io, process::Stdio};

use futures_util::{StreamExt, stream};
use sockety::ByteStream;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};

use crate::{replaced::replaced, service::Program};

impl Program {
    fn command(self) -> Command {
        let (name, arguments): (_, &[&str]) = match self {
            Self::Sort => ("sort", &[]),
            Self::Wc => ("wc", &[]),
            Self::Tr => ("tr", &["a-z", "A-Z"]),
        };
        let mut command = Command::new(name);
        command
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// Returns the output of the program, while feeding it the input.
pub async fn through(program: Program, input: ByteStream) -> io::Result<ByteStream> {
    let mut child = match program.command().spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return replaced(program, input).await;
        }
        child => child?,
    };
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("its pipes are missing"));
    };
    let running = tokio::spawn(run(child, stdin, input));
    // The end of its output does not mean success: it may have failed.
    let end = async { running.await.map_err(io::Error::from).flatten().err() };
    let end = stream::once(end).filter_map(async |error| error.map(Err));
    let output = ByteStream::from_reader(stdout).chain(end);
    Ok(ByteStream::from_stream(output))
}

/// Feeds the program, and waits for its end. Its output must be read concurrently, or the program
/// stops reading.
async fn run(mut child: Child, mut stdin: ChildStdin, mut input: ByteStream) -> io::Result<()> {
    if let Err(error) = feed(&mut stdin, &mut input).await {
        // Kill it first: if its input merely ended, the program would answer as if it were
        // complete.
        child.kill().await?;
        return Err(error);
    }
    drop(stdin);
    match child.wait().await? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("it failed: {status}"))),
    }
}

async fn feed(stdin: &mut ChildStdin, input: &mut ByteStream) -> io::Result<()> {
    while let Some(chunk) = input.next_chunk().await? {
        match stdin.write_all(&chunk).await {
            // It has read enough; its exit status will say whether that is right.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}
