//! What the two processes tell each other apart from what is measured: a line of JSON is answered by a line.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use crate::{Result, plan::Plan, process::Usage};

static EXECUTED: AtomicU64 = AtomicU64::new(0);

/// The server has executed so many calls more.
pub fn executed(calls: u64) {
    EXECUTED.fetch_add(calls, Relaxed);
}

/// The first line of a server.
#[derive(Serialize, Deserialize)]
pub struct Hello {
    pub addresses: Vec<SocketAddr>,
    /// PEM.
    pub certificate: String,
}

/// The answer to every line.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ServerState {
    pub executed: u64,
    pub usage: Usage,
}

/// A server process, which ends when this is dropped.
pub struct Server {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(plan: &Plan) -> Result<(Self, Hello)> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["server", &serde_json::to_string(plan)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = process.stdin.take().ok_or("no stdin")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no stdout")?);
        let mut server = Self {
            process,
            questions,
            answers,
        };
        let hello = serde_json::from_str(&server.read()?)?;
        Ok((server, hello))
    }

    pub fn state(&mut self) -> Result<ServerState> {
        self.questions.write_all(b"\n")?;
        Ok(serde_json::from_str(&self.read()?)?)
    }

    fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.is_empty() {
            true => Err("the server has ended".into()),
            false => Ok(line),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Both processes at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub at: Instant,
    pub client: Usage,
    pub server: ServerState,
}

impl Sample {
    pub fn take(server: &mut Server) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            client: Usage::now()?,
            server: server.state()?,
        })
    }

    /// Time on cores of both processes since an earlier moment, in nanoseconds.
    pub fn cpu_since(&self, earlier: &Self) -> f64 {
        let client = self.client.cpu.saturating_sub(earlier.client.cpu);
        client.as_nanos() as f64 + self.server_cpu_since(earlier)
    }

    /// That of the server alone.
    pub fn server_cpu_since(&self, earlier: &Self) -> f64 {
        let server = (self.server.usage.cpu).saturating_sub(earlier.server.usage.cpu);
        server.as_nanos() as f64
    }

    pub fn seconds_since(&self, earlier: &Self) -> f64 {
        (self.at - earlier.at).as_secs_f64()
    }
}

/// Says where the server listens, then answers lines until there are none, and ends the process.
pub fn answer(hello: &Hello) -> Result<()> {
    println!("{}", serde_json::to_string(hello)?);
    std::thread::spawn(|| {
        for _line in std::io::stdin().lines() {
            let usage = Usage::now().unwrap_or_default();
            let executed = EXECUTED.load(Relaxed);
            let state = ServerState { executed, usage };
            println!("{}", serde_json::to_string(&state).expect("plain numbers"));
        }
        std::process::exit(0);
    });
    Ok(())
}
