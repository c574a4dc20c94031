use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use serde_json::Value;
use tempfile::tempdir;

use crate::{Running, failed, server, sockety, stdout};

#[test]
fn both_directions_are_shown_and_recorded() {
    let (address, folder) = (server::start().to_string(), tempdir().unwrap());
    let capture = folder.path().join("calls.pcap");
    let mut tap = Running::start(&[
        "tap",
        "127.0.0.1:0",
        &address,
        "--output",
        "json",
        "--hex",
        "--pcap",
        capture.to_str().unwrap(),
    ]);
    let mut call = sockety(&format!(
        "call {} stream --no-schema --stream -",
        tap.address
    ));
    assert_eq!(stdout(call.write_stdin("hello")), "hello");
    let packets: Vec<Value> = tap
        .lines(13)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let find = |way: &str, name: &str| {
        let found = packets
            .iter()
            .find(|packet| packet["way"] == way && packet["packet"] == name);
        found.unwrap_or_else(|| panic!("no {name} {way} in {packets:#?}"))
    };
    let message = find("up", "Message");
    assert_eq!(
        (&message["action"], &message["stream"]),
        (&"stream".into(), &true.into())
    );
    let response = find("down", "Response");
    assert_eq!(
        (&response["parent"], &response["to_action"]),
        (&message["id"], &"stream".into())
    );
    assert_eq!(find("down", "Data")["payload"], 7);
    assert_eq!(find("up", "Stream")["hex"], "700568656c6c6f");
    drop(tap);

    // A capture of raw IP packets: the first a SYN from client to server.
    let capture = fs::read(capture).unwrap();
    assert_eq!(capture[20..24], [0, 0, 0, 101]);
    let packet = &capture[24 + 16..];
    assert_eq!((packet[0], packet[9]), (0x45, 6));
    assert_eq!(packet[20 + 13], 0x02);
    assert!(capture.windows(5).any(|bytes| bytes == b"hello"));
}

#[test]
fn items_of_streams_are_shown() {
    let address = server::start().to_string();
    let tapped = |options: &[&str], count: usize| {
        let arguments = [&["tap", "127.0.0.1:0", &address, "--items"], options].concat();
        let mut tap = Running::start(&arguments);
        let mut call = sockety(&format!(
            "call {} stream --no-schema --items --stream -",
            tap.address
        ));
        assert_eq!(
            stdout(call.write_stdin("{\"x\":1}\n\"two\"\n")),
            "{\"x\":1}\n\"two\"\n"
        );
        let lines = tap.lines(count);
        let shows = |line: &String| line.contains("{\"x\":1}");
        lines.into_iter().filter(shows).collect::<Vec<_>>()
    };
    let lines = tapped(&[], 13);
    assert!(
        lines.len() == 2 && lines[0].contains("Stream  "),
        "{lines:#?}"
    );
    let lines = tapped(&["--output", "json"], 13);
    let packet: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(packet["items"][0]["x"], 1);
}

#[test]
fn items_are_shown_only_if_they_are_small_and_valid() {
    let recorded = |stream: &[u8]| {
        // A one-way message with a stream.
        let mut bytes = vec![0xE1, 0x10, 0x22, 0x13, 0x00];
        bytes.extend([0x11; 16]);
        bytes.extend(b"\x01x");
        bytes.extend([0x74, stream.len() as u8, (stream.len() >> 8) as u8]);
        bytes.extend(stream);
        bytes.push(0x80);
        failed(sockety("decode - --items").write_stdin(bytes), 0).0
    };
    let shown = recorded(b"\x07\xa3abc\x93\x01");
    assert!(shown.contains("7, \"abc\""), "{shown}");
    assert!(
        shown.contains("stream ends inside an item, after 2 B of it"),
        "{shown}"
    );
    let shown = recorded(b"\x07\xc1\x07");
    assert!(
        shown.contains("7, no further items of this stream: not MessagePack: "),
        "{shown}"
    );
    let shown = recorded(b"\xc6\x00\x10\x00\x00abc");
    assert!(
        shown.contains("an item has at least 1048581 B, more than 65536"),
        "{shown}"
    );
    let shown = recorded(&[0xC0; 100]);
    assert!(shown.contains("null, …"), "{shown}");
    let bytes = b"\xE1\x10\x22\x13\x00abcdefghijklmnop\x01x\x70\x0a\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x80";
    let json = stdout(sockety("decode - --items --output json").write_stdin(&bytes[..]));
    let expected = r#""items_count":10,"items":[1,2,3,4,5,6,7,8]"#;
    assert!(json.contains(expected), "{json}");
}

#[test]
fn lines_are_for_people() {
    let address = server::start().to_string();
    let mut tap = Running::start(&["tap", "127.0.0.1:0", &address]);
    failed(
        sockety(&format!(
            "call {} a\x1b[2Jb --no-schema --json",
            tap.address
        ))
        .arg(r#"{"a":"\u0007"}"#),
        1,
    );
    let lines = tap.lines(8);
    assert!(lines[0].contains("from 127.0.0.1"), "{lines:#?}");
    let text = lines.join("\n");
    assert!(text.contains(r#"→ Message           ch 0"#), "{text}");
    assert!(text.contains(r#""a\u{1b}[2Jb""#), "{text}");
    assert!(text.contains(r#"{"a":"\u0007"}"#), "{text}");
    assert!(text.contains("2 (Not Implemented)"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn what_cannot_be_decoded_is_forwarded_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tap = Running::start(&["tap", "127.0.0.1:0", &address, "--output", "json"]);
    let mut client = TcpStream::connect(&tap.address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    // A header, then an invalid packet; and another protocol in the other direction.
    let pass = |from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]| {
        from.write_all(bytes).unwrap();
        let mut arrived = vec![0; bytes.len()];
        to.read_exact(&mut arrived).unwrap();
        assert_eq!(arrived, bytes);
    };
    pass(&mut client, &mut server, &[0xE3, 0xA0, 0xF7, 1, 2, 3]);
    pass(
        &mut server,
        &mut client,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    );
    pass(&mut client, &mut server, &[0xFF; 100_000]);
    let lines = tap.lines(5);
    assert!(
        lines[0].starts_with(r#"{"type":"note","#) && lines[0].contains("from 127.0.0.1:"),
        "{lines:#?}"
    );
    assert!(lines[2].contains("Heartbeat"), "{lines:#?}");
    assert!(
        lines[3].contains("unknown packet type: first byte is 0xf7 (packet.unknown)"),
        "{lines:#?}"
    );
    assert!(
        lines[4].starts_with(r#"{"type":"undecodable","#)
            && lines[4].contains("invalid connection header"),
        "{lines:#?}"
    );
    // One side may end while the other goes on.
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    pass(&mut server, &mut client, b"bye");
}

#[test]
fn a_server_that_is_not_there_closes_the_connection() {
    let tap = Running::start(&["tap", "127.0.0.1:0", "127.0.0.1:1"]);
    let mut client = TcpStream::connect(&tap.address).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_tapped_too() {
    let (folder, address) = (tempdir().unwrap(), server::start().to_string());
    let place = |name: &str| format!("unix://{}/{name}", folder.path().display());
    let inner = Running::start(&["tap", &place("inner"), &address]);
    let outer = Running::start(&["tap", "127.0.0.1:0", &place("inner")]);
    let (_, said) = failed(&mut sockety(&format!("call {} ping", outer.address)), 0);
    assert!(said.contains("code 0 (Accept)"), "{said}");
    drop((inner, outer));
}

#[test]
fn recorded_bytes_are_decoded() {
    let mut bytes = vec![0xE1, 0x10, 0x21, 0x16, 0x00];
    bytes.extend([0x11; 16]);
    bytes.extend(b"\x04ping\xa0");
    let (text, _) = failed(sockety("decode - --hex").write_stdin(bytes.clone()), 0);
    assert!(text.contains("receives on 16 channels"), "{text}");
    assert!(text.contains("\"ping\", 11111111"), "{text}");
    assert!(text.contains("000010  11 11 11 04 70 69 6e 67"), "{text}");
    // A recording knows neither times nor directions.
    let json = stdout(sockety("decode - --output json").write_stdin(bytes.clone()));
    let last = r#"{"type":"packet","packet":"Heartbeat","channel":null,"size":1,"content":0}"#;
    assert_eq!(json.lines().last(), Some(last));
    // Without the header, and ending inside a packet.
    let (text, said) = failed(
        sockety("decode - --no-header --output json").write_stdin(&bytes[2..20]),
        1,
    );
    assert_eq!(text, "");
    assert!(said.contains("incomplete packet at the end"), "{said}");
    let (text, _) = failed(sockety("decode -").write_stdin("GET / HTTP/1.1"), 1);
    assert!(
        text.contains(
            "cannot be decoded from here on: invalid connection header: first byte is 0x47"
        ),
        "{text}"
    );
    let (text, _) = failed(sockety("decode -").write_stdin([0x16, 3, 1]), 1);
    assert!(text.contains("TLS"), "{text}");
    failed(&mut sockety("decode missing.bin"), 6);
}
