//! The programs in Node.js, with those in Rust. Needs Node.js and npm.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use sockety::{CallError, File, Streaming, error::StreamError, serve::BoxError};
use sockety_shared_api::{LoadError, StoreClient, StoreError, WatchError};
use sockety_shared_client::{Command, run};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{self, Child},
    time::timeout,
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// The folder of the programs, which are compiled, as `npm install` there does it.
fn programs() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let runtime = shared.join("../../typescript");
        let node = shared.join("node");
        for folder in [&runtime, &node] {
            if !folder.join("node_modules/typescript").exists() {
                npm(
                    folder,
                    &[
                        "ci",
                        "--ignore-scripts",
                        "--silent",
                        "--no-audit",
                        "--no-fund",
                    ],
                );
            }
            npm(folder, &["run", "--silent", "build"]);
        }
        node.canonicalize().expect("the folder of the programs")
    })
}

fn npm(folder: &Path, arguments: &[&str]) {
    let mut command = std::process::Command::new("npm");
    let output = command.args(arguments).current_dir(folder).output();
    let output = output.expect("npm runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "npm {arguments:?}: {said}");
}

fn node(program: &str) -> process::Command {
    let mut command = process::Command::new("node");
    command.arg(programs().join("dist").join(program));
    command
}

/// A server on a free port, and its address. Dropping this ends it.
async fn serve(mut command: process::Command) -> Result<(Child, String), BoxError> {
    let mut server = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = server.stdout.take().ok_or("no output")?;
    let line = timeout(LONG, BufReader::new(output).lines().next_line()).await??;
    let line = line.ok_or("the server did not start")?;
    let address = line.strip_prefix("listening on ").ok_or("no address")?;
    Ok((server, address.to_owned()))
}

fn rust_server() -> process::Command {
    process::Command::new(env!("CARGO_BIN_EXE_sockety-shared-server"))
}

async fn in_rust(address: &str, command: Command) -> Result<Vec<String>, BoxError> {
    let mut lines = Vec::new();
    timeout(LONG, run(address, "ada", command, |line| lines.push(line))).await??;
    Ok(lines)
}

async fn in_node(address: &str, command: &[&str]) -> Result<Vec<String>, BoxError> {
    let mut client = node("client.js");
    client
        .arg(address)
        .arg("bob")
        .args(command)
        .kill_on_drop(true);
    let output = timeout(LONG, client.output()).await??;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn get(key: &str) -> Command {
    Command::Get { key: key.into() }
}

fn put(key: &str, value: &str) -> Command {
    Command::Put {
        key: key.into(),
        value: value.into(),
    }
}

/// A watcher in Node sees what is changed from Rust, and the other way round.
async fn watched(address: &str) -> Result<(), BoxError> {
    let mut watcher = node("client.js");
    watcher.args([address, "eve", "watch", "s", "2"]);
    let mut watcher = watcher.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = watcher.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut line = async || {
        timeout(LONG, lines.next_line())
            .await?
            .map_err(BoxError::from)
    };
    assert_eq!(line().await?.as_deref(), Some("watching"));
    in_rust(address, put("sky", "blue")).await?;
    in_rust(address, put("grass", "green")).await?; // not watched
    in_node(address, &["put", "sea", "grey"]).await?;
    let expected = [
        r#""sky" is "blue", says "ada""#,
        r#""sea" is "grey", says "bob""#,
    ];
    for expected in expected {
        assert_eq!(line().await?.as_deref(), Some(expected));
    }
    assert_eq!(line().await?, None);
    Ok(())
}

/// Both clients get the same answers.
async fn stored(address: &str) -> Result<(), BoxError> {
    assert_eq!(in_rust(address, get("no")).await?, ["no such key"]);
    assert_eq!(in_node(address, &["get", "no"]).await?, ["no such key"]);

    let folder = tempfile::tempdir()?;
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    std::fs::write(&good, "a=1\nb=2=3\n")?;
    std::fs::write(&bad, "c=4\nnone\n")?;
    let load = |path: &PathBuf| Command::Load { path: path.clone() };
    let path = |path: &'_ PathBuf| path.to_string_lossy().into_owned();
    assert_eq!(in_rust(address, load(&good)).await?, ["stored 2 lines"]);
    assert_eq!(
        in_node(address, &["load", &path(&good)]).await?,
        ["stored 2 lines"]
    );
    assert_eq!(in_rust(address, load(&bad)).await?, ["line 2 has no value"]);
    assert_eq!(
        in_node(address, &["load", &path(&bad)]).await?,
        ["line 2 has no value"]
    );
    assert_eq!(in_rust(address, get("b")).await?, [r#""2=3""#]);
    assert_eq!(in_node(address, &["get", "b"]).await?, [r#""2=3""#]);

    let all = ["a=1", "b=2=3", "c=4", "grass=green", "sea=grey", "sky=blue"];
    assert_eq!(in_rust(address, Command::Dump).await?, all);
    assert_eq!(in_node(address, &["dump"]).await?, all);
    Ok(())
}

/// Errors keep their data, those of streams too.
async fn refused(address: &str) -> Result<(), BoxError> {
    let store = StoreClient::connect(address).await?;
    let lines = File::from_bytes("bad", &b"\xFF=1\n"[..]);
    match store.load(lines).await {
        Err(CallError::Service(LoadError::NoText)) => {}
        other => panic!("{other:?}"),
    }
    // A watcher that reads nothing misses what does not fit between it and the server.
    let (_listening, until) = Streaming::channel(1);
    let mut watched = store.watch("big".into(), until).await?;
    let mut value = "v".repeat(60_000);
    for _ in 0..600 {
        value.push('.');
        store.put("big".into(), value.clone()).await?;
    }
    let mut seen = 0;
    let missed = loop {
        match timeout(LONG, watched.next()).await? {
            Some(Ok(_)) => seen += 1,
            Some(Err(StreamError::Service(WatchError::Missed { changes }))) => break changes,
            other => panic!("{other:?} after {seen} changes"),
        }
    };
    assert!(missed > 0 && seen + missed <= 600, "{seen} and {missed}");

    for key in 0.. {
        match store.put(key.to_string(), String::new()).await {
            Ok(()) => assert!(key < 1_000),
            Err(CallError::Service(StoreError::Full { keys })) => {
                assert_eq!(keys, 1_000);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let full = ["not stored: there are 1000 keys already"];
    assert_eq!(in_node(address, &["put", "one more", ""]).await?, full);
    Ok(())
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_server_in_rust_has_clients_in_both() -> Result<(), BoxError> {
    let (_server, address) = serve(rust_server()).await?;
    watched(&address).await?;
    stored(&address).await?;
    refused(&address).await
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_server_in_node_has_clients_in_both() -> Result<(), BoxError> {
    let mut server = node("server.js");
    server.arg("127.0.0.1:0");
    let (_server, address) = serve(server).await?;
    watched(&address).await?;
    stored(&address).await?;
    refused(&address).await
}
