//! Makes the capture that the dissector is tested with: `capture SOCKETY FILE`, the first being the program `sockety`.
//!
//! Two peers play scripts through `sockety tap`, each on its own connection. One writes when the other has read what came before,
//! so that each line of a script is one segment of the capture, in this order.

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

/// A connection on which both sides offer the extension.
const EXTENDED: &[(Side, &str)] = &[
    (Side::Client, OFFER),
    (Side::Server, OFFER),
    // Settings with all defaults, and a deadline of 30 s and a trace before a message with a file and a stream.
    (
        Side::Client,
        "f0 01 00 f1 1d 01 3075 04 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 01",
    ),
    (
        Side::Client,
        "23 1f 10 66666666666646668666666666666666 02 'up' 01 0300 00 03 05 'a.txt'",
    ),
    // Settings of 1 MiB for each message and 4,096 channels; credit for both parts, and for the connection.
    (
        Side::Server,
        "f0 0f 00 01 000010000000 03 001000000000 f2 14 10 00000000 000006 42 00000000 00 0010 14 0000c0",
    ),
    // Metadata whose name is remembered, with a secret, before a message on a channel of the settings; the same by its slot. One
    // packet is cut inside of the metadata.
    (
        Side::Client,
        "f1 17 4c 06 'tenant' 04 'acme' 60 02 07 'hunter2' 1f 00 20 13 00 77777777777747778777777777777777 01 'a'",
    ),
    (Side::Client, "f1 0e 40 10 04 'ac"),
    (
        Side::Client,
        "'me' 05 02 48 01 'k' 01 ff 20 13 00 88888888888848888888888888888888 01 'b'",
    ),
    // The other direction remembers its own names; a response with a stream.
    (
        Side::Server,
        "f1 0b 4c 04 'zone' 04 'east' 52 21 00 66666666666646668666666666666666 aaaaaaaaaaaa4aaa8aaaaaaaaaaaaaaa",
    ),
    // Its stream is not wanted, nor is the answer to the first message.
    (
        Side::Client,
        "f2 0a 08 00000000 c8 00000000 f0 05 01 00000000",
    ),
    // The stream ends with an error, and the message is answered, not to be repeated before 1 s.
    (
        Side::Server,
        "f0 0e 06 050f d46500 93 a3 'Bad' a1 'x' 07 80 f1 03 09 e803 32 66666666666646668666666666666666",
    ),
    (
        Side::Server,
        "f0 09 04 0102030405060708 f0 02 40 07 f2 08 c0 00000000 010000",
    ),
    (Side::Client, "f0 09 05 0102030405060708 f0 00"),
    (
        Side::Server,
        "f0 14 02 030000000000 05 10270000 e8030000 'full'",
    ),
    (Side::Client, "f0 01 03"),
];

/// The header of a side that offers the extension.
const OFFER: &str = "e2 ee 00";

/// Packets that are against the protocol, each on a connection that has the extension, after the settings of both sides.
const ILLEGAL: &[&str] = &[
    "f0 01 00",                                                          // settings again
    "f3 00",                                                  // the kind that is not assigned
    "f4 0120",                                                // too large
    "f0 01 80",          // an unknown kind that must not be skipped
    "f0 02 03 00",       // more than there is to say
    "f0 05 01 00000000", // a cancelled number that has not begun
    "f2 05 08 00000000", // likewise, of the other side
    "f2 01 0c",          // flags of no entry
    "f2 03 08 0000",     // an entry that is cut
    "f0 04 06 0000 c0",  // a status of nothing
    "f1 02 00 07 a0",    // metadata of nothing
    "f1 01 80 30 11111111111111111111111111111111", // no entry
    "f1 03 40 10 00 30 11111111111111111111111111111111", // a slot without a name
    "f1 04 00 01 00 02 30 11111111111111111111111111111111", // a deadline twice
    "f1 04 48 01 'A' 00 30 11111111111111111111111111111111", // no name
    "f1 02 01 07 30 11111111111111111111111111111111", // an entry that goes on after the packet
    "f0 01 03 22 13 00 11111111111141118111111111111111 01 'a'", // a message after the last one
    "22 13 00 11111111111141118111111111111111 01 'a' f0 03 06 0010", // a code that is none
    "22 13 00 11111111111141118111111111111111 01 'a' f0 03 06 0700 a0", // a status that no end follows
    "11 00", // a channel that the receiver does not have
];

/// First packets that are against the protocol.
const ILLEGAL_FIRST: &[&str] = &[
    "a0",                                       // no settings
    "f0 01 03",                                 // likewise
    "f0 08 00 01 ff0f00000000",                 // a window that is too small
    "f0 0f 00 32 000000000000 32 000000000000", // the same setting twice
    "f0 05 00 01 00001000",                     // a setting that is cut
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
    for script in scripts() {
        play_one(address, server, &script)?;
    }
    Ok(())
}

/// What is said on each connection.
fn scripts() -> Vec<Vec<(Side, &'static str)>> {
    let mut scripts = vec![SCRIPT.to_vec(), EXTENDED.to_vec()];
    let offers = [(Side::Client, OFFER), (Side::Server, OFFER)];
    for packets in ILLEGAL {
        let mut script = offers.to_vec();
        script.extend([(Side::Client, "f0 01 00"), (Side::Server, "f0 01 00")]);
        script.push((Side::Client, packets));
        scripts.push(script);
    }
    for packet in ILLEGAL_FIRST {
        let mut script = offers.to_vec();
        script.push((Side::Client, packet));
        scripts.push(script);
    }
    // Only one side offers the extension.
    scripts.push(vec![
        (Side::Client, OFFER),
        (Side::Server, "e3"),
        (Side::Client, "a0 f0 01 00"),
    ]);
    scripts
}

fn play_one(
    address: &str,
    server: &TcpListener,
    script: &[(Side, &str)],
) -> Result<(), Box<dyn Error>> {
    let mut client = TcpStream::connect(address)?;
    let (mut server, _) = server.accept()?;
    for (side, text) in script {
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
