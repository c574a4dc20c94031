use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use clap::Args;
use tokio::sync::oneshot;

use crate::{
    exit::{Exit, Failure},
    extension::Side,
    interrupt::interrupted,
    out,
    packets::{Exchanges, Found, Inspector},
    printing::{PrintArgs, Way},
};

/// Arguments of `decode`: shows the packets in recorded bytes.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// What one side of a connection sent, from the first byte on; - is standard input
    file: PathBuf,
    /// The bytes begin with a packet instead of the connection header
    #[arg(long)]
    no_header: bool,
    #[command(flatten)]
    print: PrintArgs,
}

/// Decodes to the end, to the first byte that cannot be decoded, or until interrupted.
pub async fn run(args: DecodeArgs) -> Result<Exit, Failure> {
    let interrupted = interrupted();
    // On a thread that is not the runtime's, which would wait for it to end.
    let (done, decoded) = oneshot::channel();
    thread::spawn(move || done.send(decode(args)));
    tokio::select! {
        decoded = decoded => decoded.unwrap_or_else(|_| Err(Failure::local("decoding panicked"))),
        () = interrupted => Err(Failure::local("interrupted before the end")),
    }
}

fn decode(args: DecodeArgs) -> Result<Exit, Failure> {
    let failed =
        |error: io::Error| Failure::local(format!("cannot read {}: {error}", args.file.display()));
    let mut reader: Box<dyn Read> = match args.file == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(&args.file).map_err(failed)?),
    };
    let (kept, items) = (args.print.kept(), args.print.items());
    let mut inspector = match args.no_header {
        true => Inspector::without_header(Side::Near, kept, items),
        false => Inspector::new(Side::Near, kept, items),
    };
    let (start, mut exchanges) = (Instant::now(), Exchanges::default());
    let mut buffer = vec![0; 64 * 1024];
    let mut offset = 0;
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        let mut printed = Ok(());
        let mut is_lost = false;
        // A recording has no times: all packets have time 0.
        inspector.feed(&buffer[..length], start, &mut exchanges, |found| {
            is_lost |= matches!(found, Found::Undecodable(_));
            if printed.is_ok() {
                printed = args.print.print(0, Way::Unknown, start, &found);
            }
        });
        printed?;
        if is_lost {
            return Ok(Exit::Refused);
        }
        offset += length;
    }
    match inspector.finish() {
        Ok(()) => Ok(Exit::Done),
        Err(problem) => {
            out::warn(format_args!("{problem}, after {offset} bytes"));
            Ok(Exit::Refused)
        }
    }
}
