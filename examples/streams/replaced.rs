//! Replaces the programs where they do not exist, such as on Windows.

use std::io;

use sockety::{ByteStream, error::ReadError};
use tokio::io::AsyncReadExt;

use crate::service::Program;

/// Largest input in bytes: it is held in memory.
const LARGEST: u64 = 64 * 1024 * 1024;

pub async fn replaced(program: Program, input: ByteStream) -> io::Result<ByteStream> {
    let mut bytes = Vec::new();
    let limit = LARGEST;
    input.take(limit + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { limit }.into());
    }
    let output = match program {
        Program::Sort => sorted(&bytes),
        Program::Wc => counted(&bytes),
        Program::Tr => bytes.to_ascii_uppercase(),
    };
    Ok(ByteStream::from_reader(io::Cursor::new(output)))
}

fn sorted(bytes: &[u8]) -> Vec<u8> {
    let ended = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut lines: Vec<&[u8]> = ended.split(|byte| *byte == b'\n').collect();
    if bytes.is_empty() {
        lines.clear();
    }
    lines.sort_unstable();
    let line = |line: &&[u8]| [line, &b"\n"[..]].concat();
    lines.iter().flat_map(line).collect()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    let words = bytes.split(u8::is_ascii_whitespace);
    let words = words.filter(|word| !word.is_empty()).count();
    format!("{lines:7} {words:7} {:7}\n", bytes.len()).into()
}
