//! The negotiated extension, as `decode` and `tap` show it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use expect_test::expect_file;
use serde_json::Value;
use sockety::{Options, Server, config::Extension, service};

use crate::{Running, failed, sockety};

const OFFER: &str = "E2 EE 00";
const SETTINGS: &str = "F0 01 00";

/// A request with the action "up", a stream and a file; a request with the action "a".
const UPLOAD: &str = "23 1F 10 22222222222242228222222222222222 02 'up' 01 0300 00 03 05 'a.txt'";
const REQUEST: &str = "21 13 00 11111111111141118111111111111111 01 'a'";

/// Parts in quotes are text, the others hexadecimal digits.
fn bytes(script: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in script.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(u8::is_ascii_hexdigit).collect();
        for pair in digits.chunks(2) {
            let pair = str::from_utf8(pair).unwrap();
            bytes.push(u8::from_str_radix(pair, 16).unwrap());
        }
    }
    bytes
}

/// What `decode` prints for one side of a connection.
fn decoded(options: &str, script: &str, code: i32) -> String {
    let mut decode = sockety(&format!("decode - {options}"));
    failed(decode.write_stdin(bytes(script)), code).0
}

/// The objects that it prints with `--output json`, for the packet with this name.
fn objects(script: &str, packet: &str) -> Vec<Value> {
    let printed = decoded("--output json", script, 0);
    let objects = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    objects
        .filter(|object: &Value| object["packet"] == packet)
        .collect()
}

#[test]
fn one_side_shows_what_its_packets_say() {
    expect_file!["extension/decoded.txt"].assert_eq(&decoded("", &one_side(), 0));
}

#[test]
fn programs_get_the_same_as_json() {
    let printed = decoded("--output json", &one_side(), 0);
    expect_file!["extension/decoded.json"].assert_eq(&printed);
}

/// Every packet of the extension, as one side sends them.
fn one_side() -> String {
    let trace = "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 01";
    format!(
        "{OFFER} F0 08 00 01 000010000000
        F1 02 00 FA {REQUEST} F1 03 01 F401 {REQUEST} F1 04 02 80EE36 {REQUEST}
        F1 1D 01 3075 04 {trace} {REQUEST}
        F1 0D 4C 06 'tenant' 04 'acme' {REQUEST} F1 07 40 10 04 'acme' {REQUEST}
        F1 18 03 FFFFFFFF 05 02 68 01 'k' 03 'xyz' 50 00 0300 'a=1' 25 01 00 {REQUEST}
        F1 04 0A 000400 32 11111111111141118111111111111111
        F2 08 10 07000000 000006 F2 08 42 07000000 03 0010 F2 08 C0 07000000 800000
        F2 04 14 0000C0 F2 05 08 07000000 F2 05 C8 07000000 F2 0A C8 07000000 08 08000000
        F0 09 01 05000000 06000000
        {UPLOAD} F0 04 06 0700 C0 80 F0 0E 06 050F D46500 93 A3 'Bad' A1 'x' 07 90
        F0 09 04 0102030405060708 F0 09 05 0102030405060708 F0 02 40 07 F0 00
        F0 10 02 FFFFFFFFFFFF 00 10270000 E8030000 F0 14 02 0C0000000000 04 00000000 00000000 'full'
        F0 01 03"
    )
}

// What is secret must not be found anywhere.
#[test]
fn secrets_are_shown_as_their_length() {
    let script = format!(
        "{OFFER} {SETTINGS} F1 16 60 02 07 'hunter2' 4C 01 'k' 01 'v' 68 01 's' 03 'xyz' {REQUEST}"
    );
    for options in ["", "--hex", "--hex --output json", "--hex --hex-bytes 8"] {
        let printed = decoded(options, &script, 0);
        for secret in ["hunter2", "xyz", "68756e74", "68 75", "78797a", "78 79"] {
            assert!(!printed.contains(secret), "{secret} in {printed}");
        }
    }
    let printed = decoded("--hex", &script, 0);
    let expected = "Metadata                        24 B  authorization: secret of 7 B, k: \"v\", s: secret of 3 B
               000000  f1 16 60 02 07 ** ** ** ** ** ** ** 4c 01 6b 01  ..`..*******L.k.
               000010  76 68 01 73 03 ** ** **                          vh.s.***";
    assert!(printed.contains(expected), "{printed}");
    let entries = &objects(&script, "Metadata")[0]["entries"];
    let expected = r#"[{"name":"authorization","secret_bytes":7},{"name":"k","value":"v"},{"name":"s","secret_bytes":3}]"#;
    assert_eq!(entries.to_string(), expected);
}

#[test]
fn a_side_that_does_not_begin_with_settings_has_no_extension() {
    for (script, expected) in [
        (
            "E2 EE 00 A0 F0 01 00",
            "unknown packet type: first byte is 0xf0 (packet.unknown)",
        ),
        (
            "E2 00 01 F0 01 00",
            "unknown packet type: first byte is 0xf0 (packet.unknown)",
        ),
        (
            "E2 EE 00 F1",
            "unknown packet type: first byte is 0xf1 (packet.unknown)",
        ),
        ("E2 EE 00 F0 01 03", "(ext.settings.first)"),
        ("E2 EE 00 F0 01 00 F3", "(ext.packet.kind)"),
        ("E2 EE 00 F0 01 00 F0 01 80", "(ext.control.unknown)"),
        ("E2 EE 00 F0 01 00 F1 03 40 10 00", "(ext.meta.names)"),
        ("E2 EE 00 F0 01 00 F1 02 00 07 A0", "(ext.meta.place)"),
        (
            "E2 EE 00 F0 01 00 F0 05 01 00000000",
            "(ext.number.unknown)",
        ),
        ("E2 EE 00 F0 01 00 F2 01 0C", "(ext.flow)"),
    ] {
        let printed = decoded("", script, 1);
        let last = printed.lines().last().unwrap();
        assert!(
            last.starts_with("cannot be decoded from here on: "),
            "{printed}"
        );
        assert!(last.ends_with(expected), "{script}: {printed}");
    }
    // A recording that begins after the header.
    let printed = decoded("--no-header", &format!("{SETTINGS} F0 01 03"), 0);
    assert!(
        printed.contains("extension active, all defaults"),
        "{printed}"
    );
}

#[test]
fn only_the_first_entries_are_shown() {
    let entry = "04 0100";
    let script = format!("{OFFER} {SETTINGS} F2 C3 {}", entry.repeat(65));
    let flow = &objects(&script, "Flow")[0];
    assert_eq!(flow["flow_count"], 65);
    assert_eq!(flow["flow"].as_array().unwrap().len(), 65);
    assert_eq!(flow["flow"][64], "…");
}

/// What a tap prints of a script of lines, each of one side, after the times.
fn tapped(script: &[(bool, String)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tap = Running::start(&["tap", "127.0.0.1:0", &address]);
    let mut client = TcpStream::connect(&tap.address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    for (is_client, line) in script {
        let bytes = bytes(line);
        let (from, to) = match is_client {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        from.write_all(&bytes).unwrap();
        let mut arrived = vec![0; bytes.len()];
        to.read_exact(&mut arrived).unwrap();
        assert_eq!(arrived, bytes);
    }
    drop((client, server));
    // After the time. Who ends first is not known, so notes are left out.
    let printed = BufReader::new(tap.child.stdout.as_mut().unwrap()).lines();
    let printed = printed.map(Result::unwrap);
    let printed = printed.take_while(|line| !line.ends_with(" closed"));
    let packets = printed.filter(|line| line.contains(['→', '←']));
    packets.map(|line| without_times(&line[13..])).collect()
}

/// A line in which the time of an answer is not shown.
fn without_times(line: &str) -> String {
    let (start, rest) = line.split_once("\" after ").unwrap_or((line, ""));
    let end = rest
        .split_once(" ms")
        .map(|(_, end)| format!("\" after … ms{end}"));
    format!("{start}{}\n", end.unwrap_or_default())
}

const CLIENT: bool = true;
const SERVER: bool = false;

/// A response to the upload, with a stream.
const RESPONSE: &str = "52 21 00 22222222222242228222222222222222 99999999999949998999999999999999";

#[test]
fn a_tap_names_the_messages_that_numbers_stand_for() {
    let line = |text: &str| text.to_owned();
    let script = [
        (CLIENT, line(OFFER)),
        (SERVER, line(OFFER)),
        (
            CLIENT,
            format!("{SETTINGS} F1 0D 4C 06 'tenant' 04 'acme' {UPLOAD}"),
        ),
        // A limit of 4,096 channels.
        (
            SERVER,
            line("F0 08 00 03 001000000000 F2 10 10 00000000 000006 42 00000000 00 0010"),
        ),
        (CLIENT, format!("F1 07 40 10 04 'acme' 01 {REQUEST} 00")),
        // Names are remembered for each direction.
        (SERVER, format!("F1 0B 4C 04 'zone' 04 'east' {RESPONSE}")),
        (
            CLIENT,
            line("F2 0A 08 00000000 C8 00000000 F0 09 01 00000000 01000000"),
        ),
        (
            SERVER,
            line("F1 07 40 10 04 'west' 32 11111111111141118111111111111111"),
        ),
        // Of a message that has not begun.
        (SERVER, line("F2 05 08 02000000")),
        (SERVER, line("F0 10 02 020000000000 05 00000000 E8030000")),
        (CLIENT, line("F0 01 03")),
    ];
    expect_file!["extension/tapped.txt"].assert_eq(&tapped(&script));
}

#[test]
fn a_tap_shows_a_side_without_the_extension() {
    let line = |text: &str| text.to_owned();
    let script = [
        (CLIENT, line(OFFER)),
        (SERVER, line("E1 10")),
        (CLIENT, line(REQUEST)),
        (SERVER, line("30 11111111111141118111111111111111")),
        (CLIENT, line("A0 F0 01 00")),
    ];
    expect_file!["extension/base.txt"].assert_eq(&tapped(&script));
    // The same if the server is first, and offers.
    let script = [(SERVER, line(OFFER)), (CLIENT, line("E3 A0"))];
    expect_file!["extension/offering-server.txt"].assert_eq(&tapped(&script));
}

#[service]
trait Slow {
    async fn wait(&self);
}

struct Forever;

impl Slow for Forever {
    async fn wait(&self) {
        std::future::pending().await
    }
}

#[test]
fn a_tap_shows_two_sides_of_ours() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = || Options::default().extension(Extension::Require);
    let server = runtime.block_on(async {
        let server = Server::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let serving = server.options(options()).serve(SlowServer::new(Forever));
        tokio::spawn(serving.into_future());
        address
    });
    let mut tap = Running::start(&["tap", "127.0.0.1:0", &server, "--output", "json"]);
    // It stays connected until all packets have been seen.
    let _client = runtime.block_on(async {
        let connecting = SlowClient::connect(&*tap.address).options(options());
        let client = connecting.await.unwrap();
        client
            .wait()
            .timeout(Duration::from_millis(100))
            .await
            .unwrap_err();
        client
    });
    // A request that is cancelled, or whose deadline is over, is answered all the same.
    let printed = BufReader::new(tap.child.stdout.as_mut().unwrap()).lines();
    let packets = printed.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let mut found = Vec::new();
    for packet in packets {
        found.push(packet);
        if found.last().unwrap()["packet"] == "Fast Reply" {
            break;
        }
    }
    let find = |way: &str, name: &str| {
        let is_it = |packet: &&Value| packet["way"] == way && packet["packet"] == name;
        let packet = found.iter().find(is_it);
        packet.unwrap_or_else(|| panic!("no {name} {way} in {found:#?}"))
    };
    assert!(find("up", "Settings")["settings"]["deadline_ms"].is_u64());
    assert!(find("down", "Settings")["settings"].is_object());
    assert_eq!(find("up", "Metadata")["deadline_ms"], 100);
    assert_eq!(find("down", "Fast Reply")["to_action"], "wait");
}
