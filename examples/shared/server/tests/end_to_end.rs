//! Runs the server as a separate process, and clients of it.

use std::{process::Stdio, time::Duration};

use sockety::{CallError, serve::BoxError};
use sockety_shared_api::{StoreClient, StoreError};
use sockety_shared_client::{Command, run};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{self, Child},
    sync::mpsc,
    time::timeout,
};

const LONG: Duration = Duration::from_secs(30);

/// A server on a free port, and its address. Dropping this ends it.
async fn serve() -> Result<(Child, String), BoxError> {
    let mut server = process::Command::new(env!("CARGO_BIN_EXE_sockety-shared-server"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = server.stdout.take().ok_or("no output")?;
    let line = timeout(LONG, BufReader::new(output).lines().next_line()).await??;
    let line = line.ok_or("the server did not start")?;
    let address = line.strip_prefix("listening on ").ok_or("no address")?;
    Ok((server, address.to_owned()))
}

async fn ask(address: &str, name: &str, command: Command) -> Result<Vec<String>, BoxError> {
    let mut lines = Vec::new();
    timeout(LONG, run(address, name, command, |line| lines.push(line))).await??;
    Ok(lines)
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

#[tokio::test]
async fn what_one_client_stores_another_gets() -> Result<(), BoxError> {
    let (_server, address) = serve().await?;
    assert_eq!(ask(&address, "ada", get("sky")).await?, ["no such key"]);
    assert_eq!(ask(&address, "ada", put("sky", "blue")).await?, ["stored"]);
    assert_eq!(ask(&address, "bob", get("sky")).await?, ["\"blue\""]);
    Ok(())
}

#[tokio::test]
async fn changes_are_watched_with_the_names_of_who_made_them() -> Result<(), BoxError> {
    let (_server, address) = serve().await?;
    let (sender, mut lines) = mpsc::unbounded_channel();
    let watch = Command::Watch {
        prefix: "s".into(),
        changes: 2,
    };
    let watcher = tokio::spawn({
        let address = address.clone();
        async move { run(&address, "eve", watch, |line| drop(sender.send(line))).await }
    });
    assert_eq!(
        timeout(LONG, lines.recv()).await?.as_deref(),
        Some("watching")
    );

    ask(&address, "ada", put("sky", "blue")).await?;
    ask(&address, "bob", put("sky", "blue")).await?; // nothing new
    ask(&address, "bob", put("grass", "green")).await?; // not watched
    // A client that serves nothing has no name.
    let nobody = StoreClient::connect(&address).await?;
    nobody.put("sea".into(), "grey".into()).await?;

    timeout(LONG, watcher).await???;
    let expected = [
        r#""sky" is "blue", says "ada""#,
        r#""sea" is "grey", says "somebody""#,
    ];
    for line in expected {
        assert_eq!(lines.recv().await.as_deref(), Some(line));
    }
    assert_eq!(lines.recv().await, None);
    Ok(())
}

#[tokio::test]
async fn errors_keep_their_data() -> Result<(), BoxError> {
    let (_server, address) = serve().await?;
    let store = StoreClient::connect(&address).await?;
    for key in 0..1_000 {
        store.put(key.to_string(), String::new()).await?;
    }
    match store.put("one more".into(), String::new()).await {
        Err(CallError::Service(StoreError::Full { keys })) => assert_eq!(keys, 1_000),
        other => panic!("{other:?}"),
    }
    store
        .put("7".into(), "a new value needs no room".into())
        .await?;
    Ok(())
}
