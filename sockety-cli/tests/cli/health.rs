//! `sockety health`, as probes see it.

use std::net::TcpListener;

use serde_json::{Value, json};
use sockety::{Server, serve::MessageHandler};

use crate::{failed, server, sockety, stdout};

/// A server whose health is said by the test.
fn start() -> (std::net::SocketAddr, sockety::health::Health) {
    let (sender, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = Server::bind("127.0.0.1:0").await.unwrap();
            let address = server.local_addr().unwrap();
            sender.send((address, server.health())).unwrap();
            server.serve(MessageHandler::new()).await.unwrap();
        });
    });
    started.recv().unwrap()
}

#[test]
fn the_exit_code_and_one_line_say_how_a_server_is() {
    let (address, health) = start();
    let ask = format!("health {address} --timeout 20s");
    assert_eq!(stdout(sockety(&ask).arg("--output=text")), "serving\n");
    sockety(&ask).assert().code(0);
    health.set_service_serving("Bank", false);
    let (said, complaint) = failed(sockety(&ask).arg("--service=Bank"), 1);
    assert_eq!((&*said, &*complaint), ("not serving\n", ""));
    sockety(&ask).assert().code(0);
    let (said, _) = failed(sockety(&ask).arg("--service=Mint"), 1);
    assert_eq!(said, "unknown service\n");
    health.set_serving(false);
    let (said, _) = failed(&mut sockety(&ask), 1);
    assert_eq!(said, "not serving\n");
}

#[test]
fn programs_read_json() {
    let (address, health) = start();
    health.set_service_serving("Bank", false);
    let json = |said: &str| serde_json::from_str::<Value>(said).unwrap();
    let ask = format!("health {address} --timeout 20s --output json");
    let said = stdout(&mut sockety(&ask));
    assert_eq!(
        json(&said),
        json!({ "type": "health", "status": "serving" })
    );
    let (said, _) = failed(sockety(&ask).arg("--service=Bank"), 1);
    let expected = json!({ "type": "health", "status": "not_serving", "service": "Bank" });
    assert_eq!(json(&said), expected);
}

#[test]
fn a_server_that_authorizes_answers_without_a_token() {
    let address = server::start_authorizing();
    let ask = format!("health {address} --timeout 20s");
    assert_eq!(stdout(&mut sockety(&ask)), "serving\n");
}

#[test]
fn a_peer_that_does_not_know_the_question_counts_as_serving() {
    for (reply, code) in [(2, 0), (0, 0), (1, 1), (3, 1), (404, 1)] {
        let address = scripted(Some(reply));
        let ask = format!("health {address} --timeout 20s");
        sockety(&ask).assert().code(code);
    }
}

/// A peer of the base protocol that answers a request with this code, or with nothing.
fn scripted(code: Option<u16>) -> std::net::SocketAddr {
    use std::io::{Read, Write};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[0xE0]).unwrap();
        let mut found = Vec::new();
        let mut bytes = [0; 256];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            found.extend_from_slice(&bytes[..count]);
            // Its id, and the size of the name, come before the name of the action.
            let request = found
                .windows(15)
                .position(|text| text == b"$sockety.health");
            if let (Some(name), Some(code)) = (request, code) {
                let id = &found[name - 17..name - 1];
                let [low, high] = code.to_le_bytes();
                let first = match code {
                    0..16 => vec![0x30 | low],
                    _ => vec![0x40 | high, low],
                };
                stream.write_all(&[&first, id].concat()).unwrap();
                found.clear();
            }
        }
    });
    address
}

#[test]
fn a_peer_that_is_not_there_or_silent_has_codes_of_its_own() {
    let (_, said) = failed(&mut sockety("health 127.0.0.1:1 --timeout 20s"), 3);
    assert!(said.contains("cannot connect to 127.0.0.1:1"), "{said}");

    // Without a header there is no connection.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ask = format!("health {address} --timeout 50ms");
    let (_, said) = failed(&mut sockety(&ask), 3);
    assert!(said.contains("no connection within 50ms"), "{said}");

    let silent = scripted(None);
    let ask = format!("health {silent} --timeout 500ms");
    let (_, said) = failed(&mut sockety(&ask), 4);
    assert!(said.contains("no answer within 500ms"), "{said}");

    failed(&mut sockety("health 127.0.0.1:1 --timeout 0s"), 2);
}
