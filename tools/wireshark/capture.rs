//! Makes the capture that the dissector is tested with: `capture SOCKETY FILE`, the first being the program `sockety`.
//!
//! Two peers play a script through `sockety tap`. One writes when the other has read what came before, so that each line
//! of the script is one segment of the capture, in this order.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

/// Who writes, and what, in hexadecimal digits and texts in quotes.
const SCRIPT: &[(Side, &str)] = &[
    // Connection headers: 16 channels, 4096 channels.
    (Side::Client, "e1 10"),
    (Side::Server, "e3"),
    // A message without content, and its reply.
    (
        Side::Client,
        "21 16 00 11111111111141118111111111111111 04 'ping'",
    ),
    (Side::Server, "30 11111111111141118111111111111111"),
    // A message on channel 1 with a payload, two files and a stream. Its header is cut inside of the action.
    (
        Side::Client,
        "01 23 14 50 22222222222242228222222222222222 06 'up'",
    ),
    (
        Side::Client,
        "60 18 'load' 03 02 0800 00 05 05 'a.txt' 00 03 05 'b.txt'",
    ),
    (Side::Client, "e0 03 92 01 02 70 05 'hello' 80"),
    // A file that comes in two segments, with the end of it and the next one in the second.
    (Side::Client, "c0 05 'fir'"),
    (Side::Client, "'st' d0 c1 03 01 'two' d1 01"),
    (
        Side::Server,
        "50 22 40 22222222222242228222222222222222 99999999999949998999999999999999 02 e0 02 91 07",
    ),
    // A message that is given up, and one that nobody serves.
    (
        Side::Client,
        "02 22 1d 00 33333333333343338333333333333333 0b 'interrupted' 70 01 00 90",
    ),
    (
        Side::Client,
        "21 16 00 44444444444444448444444444444444 04 'nope'",
    ),
    (Side::Server, "32 44444444444444448444444444444444"),
    // A code of a service, in its long form; a file that ends too early; a sign of life.
    (
        Side::Client,
        "01 21 23 10 55555555555545558555555555555555 06 'orders' 01 0900 00 09 05 'c.txt' c0 04 'part' d0 a0",
    ),
    (Side::Server, "41 94 55555555555545558555555555555555 b0"),
    // Against the protocol: payload that nobody announced. What follows cannot be decoded.
    (Side::Client, "e0 01 00"),
    (Side::Client, "a0"),
];

#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(program), Some(capture)) = (arguments.next(), arguments.next()) else {
        return Err("usage: capture SOCKETY FILE".into());
    };
    let server = TcpListener::bind("127.0.0.1:0")?;
    let upstream = server.local_addr()?.to_string();
    let mut tap = Command::new(program)
        .args(["tap", "127.0.0.1:0", &upstream, "--pcap"])
        .arg(&capture)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let played = play(&mut tap, &server);
    tap.kill()?;
    tap.wait()?;
    played
}

fn play(tap: &mut Child, server: &TcpListener) -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    let stderr = tap.stderr.take().ok_or("no standard error")?;
    let mut lines = BufReader::new(stderr);
    lines.read_line(&mut line)?;
    let address = line
        .strip_prefix("listening on ")
        .and_then(|rest| rest.split(',').next())
        .ok_or_else(|| format!("the tap says {line:?}"))?;
    let mut client = TcpStream::connect(address)?;
    let (mut server, _) = server.accept()?;
    for (side, text) in SCRIPT {
        let bytes = parse(text)?;
        match side {
            Side::Client => pass(&mut client, &mut server, &bytes)?,
            Side::Server => pass(&mut server, &mut client, &bytes)?,
        }
    }
    // The ends too come one after the other.
    client.shutdown(Shutdown::Write)?;
    expect_end(&mut server)?;
    server.shutdown(Shutdown::Write)?;
    expect_end(&mut client)
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    from.write_all(bytes)?;
    let mut arrived = vec![0; bytes.len()];
    to.read_exact(&mut arrived)?;
    match arrived == bytes {
        true => Ok(()),
        false => Err("the tap changed what it forwarded".into()),
    }
}

fn expect_end(stream: &mut TcpStream) -> Result<(), Box<dyn Error>> {
    match stream.read(&mut [0])? {
        0 => Ok(()),
        _ => Err("the tap made bytes of its own".into()),
    }
}

/// Parts in quotes are text, the others hexadecimal digits.
fn parse(script: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    for (index, part) in script.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: String = part.split_whitespace().collect();
        for start in (0..digits.len()).step_by(2) {
            let pair = digits.get(start..start + 2).ok_or("half a byte")?;
            bytes.push(u8::from_str_radix(pair, 16)?);
        }
    }
    Ok(bytes)
}
