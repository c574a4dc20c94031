//! Ctrl-C in commands that send a message, and in `decode`.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use sockety::{
    File, Server,
    message::ResponseDraft,
    serve::{BoxError, Message, MessageHandler},
};
use tempfile::tempdir;

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sockety"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Presses Ctrl-C, while standard input stays open.
fn interrupt(mut child: Child) -> (Option<i32>, String) {
    let stdin = child.stdin.take();
    let id = child.id().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status();
    assert!(told.unwrap().success());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    drop(stdin);
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// Says that it was dropped.
struct Noted(Sender<&'static str>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.send("ended").unwrap();
    }
}

/// A server that answers no message, and sends a file of which only the beginning comes. Tells when
/// a message arrives, and when its handler ends.
fn stalling() -> (SocketAddr, Receiver<&'static str>) {
    let (address, bound) = channel();
    let (events, received) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = Server::bind("127.0.0.1:0").await.unwrap();
            address.send(server.local_addr().unwrap()).unwrap();
            let stalled = events.clone();
            let handler = MessageHandler::new()
                .action("never", move |message: Message| {
                    let stalled = stalled.clone();
                    async move {
                        let noted = Noted(stalled.clone());
                        stalled.send("arrived").unwrap();
                        // Ends when the sender gives its stream up.
                        if let Some(mut stream) = message.take_stream() {
                            while let Ok(Some(_)) = stream.next_chunk().await {}
                        } else {
                            std::future::pending::<()>().await;
                        }
                        drop(noted);
                    }
                })
                .action("half", |message: Message| async move {
                    let (reader, mut writer) = tokio::io::duplex(64);
                    tokio::io::AsyncWriteExt::write_all(&mut writer, b"half").await?;
                    let file = File::from_reader("whole.bin", 8, reader);
                    let sent = message.respond(ResponseDraft::new().create().with_file(file));
                    let sent = sent.await?;
                    tokio::time::sleep(Duration::from_secs(600)).await;
                    drop(writer);
                    Ok::<_, BoxError>(sent)
                });
            server.serve(handler).await.unwrap();
        });
    });
    (bound.recv().unwrap(), received)
}

fn next(events: &Receiver<&'static str>) -> &'static str {
    events.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn a_call_that_is_interrupted_before_it_is_sent_says_so() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    for command in ["call", "pass"] {
        let child = start(&[command, &address, "never"]);
        let _link = silent.accept().unwrap();
        let (code, said) = interrupt(child);
        let expected = format!("sockety: never at {address}: interrupted (not sent)\n");
        assert_eq!((code, said), (Some(3), expected));
    }
}

#[test]
fn a_message_that_is_interrupted_is_given_up() {
    let (address, events) = stalling();
    let address = address.to_string();
    for arguments in [
        &["call", &address, "never"][..],
        &["call", &address, "never", "--stream", "-"],
        &["pass", &address, "never", "--stream", "-"],
    ] {
        let child = start(arguments);
        assert_eq!(next(&events), "arrived");
        let (code, said) = interrupt(child);
        let text = "interrupted (unknown whether it was executed)";
        let expected = format!("sockety: never at {address}: {text}\n");
        assert_eq!((code, said), (Some(4), expected));
        // The peer has learned of it: by a cancel, or by the stream that broke off.
        assert_eq!(next(&events), "ended");
    }
}

#[test]
fn a_file_that_is_not_whole_is_removed_after_an_interruption() {
    let (address, _events) = stalling();
    let address = address.to_string();
    let folder = tempdir().unwrap();
    let inbox = folder.path().to_str().unwrap();
    let child = start(&["call", &address, "half", "--save", inbox]);
    while names(folder.path()).is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    let (code, said) = interrupt(child);
    let expected = format!("sockety: half at {address}: interrupted (replied)\n");
    assert_eq!((code, said), (Some(5), expected));
    assert!(names(folder.path()).is_empty());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

#[test]
fn decoding_that_is_interrupted_is_not_done() {
    let mut child = start(&["decode", "-"]);
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(b"\xE1\x00").unwrap();
    stdin.flush().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    let (code, said) = interrupt(child);
    let expected = "sockety: interrupted before the end\n".to_owned();
    assert_eq!((code, said), (Some(6), expected));
}
